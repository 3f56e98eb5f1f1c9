/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_X86_MACHINE_H
#define TESTS_GUESTS_X86_MACHINE_H

/* What count.c needs of a 64-bit PC. */
#include <stdint.h>

#include "guest.h"

struct gate {
	uint16_t offset_0;
	uint16_t selector;
	uint16_t attr;
	uint16_t offset_16;
	uint32_t offset_32;
	uint32_t zero;
};

static struct gate idt[4];
static uint8_t stack[8192] __attribute__((aligned(16), used));

__asm__(".section .text.startup, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	leaq	stack + 8192(%rip), %rsp\n"
	"	xorl	%ebp, %ebp\n"
	"	call	guest_main\n"
	".globl finished\n"
	"finished:\n"
	"	hlt\n"
	"	jmp	finished\n"
	".globl on_trap\n"
	"on_trap:\n"
	"	incl	trap_count(%rip)\n"
	"	iretq\n"
	".text\n");

void on_trap(void);

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void idt_load(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} pointer = { sizeof(idt) - 1, (uintptr_t)idt };
	uint64_t at = (uintptr_t)on_trap;
	uint16_t cs;

	__asm__("movw %%cs, %0" : "=r"(cs));
	idt[3] = (struct gate){ (uint16_t)at, cs, 0x8e00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static inline void machine_start(void)
{
	idt_load();
	out8(PORT_DEBUG, MARK_LONG);
}

static inline void machine_done(void)
{
	out8(PORT_DEBUG, MARK_DONE);
}

static inline void machine_say(char c)
{
	out8(PORT_COM1, (uint8_t)c);
}

static inline void machine_trap(void)
{
	__asm__ volatile(".globl guest_trap\nguest_trap: int3");
}

static inline uint64_t machine_debug_control(void)
{
	uint64_t value;

	__asm__("movq %%dr7, %0" : "=r"(value));
	return value;
}

static inline void machine_panic(uint8_t event)
{
	out8(PORT_PANIC, event);
}

static inline void machine_reset(void)
{
	out8(PORT_RESET, RESET_NOW);
}

static inline void machine_power_off(void)
{
	out16(PORT_PM_CONTROL, PM_OFF);
}

/* To where nothing is. */
static inline void machine_get_lost(void)
{
	((void (*)(void))0xd0000000)();
}

/* A triple fault. */
static inline void machine_crash(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

#endif

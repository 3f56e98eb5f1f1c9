/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_ARM64_MACHINE_H
#define TESTS_GUESTS_ARM64_MACHINE_H

/* What count.c needs of an arm64 machine. The MMU stays off. */
#include <stdint.h>

#include "guest.h"

static uint8_t stack[8192] __attribute__((aligned(16), used));

__asm__(".section .text.startup, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	adrp	x0, stack + 8192\n"
	"	add	x0, x0, :lo12:stack + 8192\n"
	"	mov	sp, x0\n"
	"	mov	x29, xzr\n"
	"	mov	x30, xzr\n"
	"	bl	guest_main\n"
	".globl finished\n"
	"finished:\n"
	"	wfi\n"
	"	b	finished\n"
	"	.balign	2048\n"
	".globl vectors, on_trap, unexpected\n"
	"vectors:\n"
	"	.rept	4\n"
	"	b	unexpected\n"
	"	.balign	128\n"
	"	.endr\n"
	"	b	on_trap\n"
	"	.balign	128\n"
	"	.rept	11\n"
	"	b	unexpected\n"
	"	.balign	128\n"
	"	.endr\n"
	"on_trap:\n"
	"	stp	x0, x1, [sp, #-16]!\n"
	"	mrs	x0, esr_el1\n"
	"	lsr	x0, x0, #26\n"
	"	cmp	x0, #0x3c\n" // BRK
	"	b.ne	unexpected\n"
	"	adrp	x0, trap_count\n"
	"	ldr	w1, [x0, :lo12:trap_count]\n"
	"	add	w1, w1, #1\n"
	"	str	w1, [x0, :lo12:trap_count]\n"
	"	mrs	x0, elr_el1\n"
	"	add	x0, x0, #4\n"
	"	msr	elr_el1, x0\n"
	"	ldp	x0, x1, [sp], #16\n"
	"	eret\n"
	"unexpected:\n"
	"	b	unexpected\n"
	".text\n");

static inline void machine_start(void)
{
	extern const uint8_t vectors[];

	__asm__ volatile("msr vbar_el1, %0; isb" : : "r"(vectors));
}

static inline void machine_done(void)
{
}

static inline void machine_say(char c)
{
	*(volatile uint32_t *)UART = (uint8_t)c;
}

static inline void machine_trap(void)
{
	__asm__ volatile(".globl guest_trap\nguest_trap: brk #0x123");
}

static inline uint64_t machine_debug_control(void)
{
	uint64_t value;

	__asm__("mrs %0, mdscr_el1" : "=r"(value));
	return value;
}

/* There is no device to tell. */
static inline void machine_panic(uint8_t event)
{
	(void)event;
}

static inline void machine_psci(uint64_t function)
{
	register uint64_t x0 __asm__("x0") = function;

	__asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
}

static inline void machine_reset(void)
{
	machine_psci(PSCI_SYSTEM_RESET);
}

static inline void machine_power_off(void)
{
	machine_psci(PSCI_SYSTEM_OFF);
}

/* A load of two registers from where nothing is: the processor does not tell a hypervisor what was loaded. */
static inline void machine_get_lost(void)
{
	uint64_t a, b;

	__asm__ volatile("ldp %0, %1, [%2]" : "=r"(a), "=r"(b) : "r"(0xd0000000UL));
}

/* An exception whose vector cannot be fetched, for ever. */
static inline void machine_crash(void)
{
	__asm__ volatile("msr vbar_el1, %0; isb; udf #0" : : "r"(0xd0000000UL));
}

#endif

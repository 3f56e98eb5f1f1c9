/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A 64-bit guest with something to step through, to print and to watch: it counts for ever, writes a dot to the serial
 * port now and then, and executes an int3 of its own, which its own handler counts, when `own_int3` is set. It ends
 * when `stop` is set, and crashes, panics or resets when it is told to. It starts with the sum of its own code and the
 * look of its debug registers, for whoever suspects that somebody was there before. Start: --flat-mode=long.
 */
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

struct shape {
	int width, height;
	const char *name;
};

volatile uint64_t counter;
volatile uint8_t small; /* for watchpoints of one byte; changes with every 256th count */
volatile uint32_t stop, crash, own_int3, int3_count;
volatile uint32_t panic; /* an event for the panic device */
volatile uint32_t reset, power_off, lost;
volatile uint32_t code_sum;
volatile uint64_t dr7;
struct shape shape = { 3, 4, "rectangle" };
volatile int area;
volatile uint8_t field[40]; /* one byte changes with each count, in turn */

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
	".globl on_int3\n"
	"on_int3:\n"
	"	incl	int3_count(%rip)\n"
	"	iretq\n"
	".text\n");

void on_int3(void);
extern const uint8_t _start[], etext[];
void guest_main(void);

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
	uint64_t at = (uintptr_t)on_int3;
	uint16_t cs;

	__asm__("movw %%cs, %0" : "=r"(cs));
	idt[3] = (struct gate){ (uint16_t)at, cs, 0x8e00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

__attribute__((noinline)) int multiply(int a, int b)
{
	int product = 0;

	for (int i = 0; i < b; i++)
		product += a;
	return product;
}

__attribute__((noinline)) int measure(const struct shape *s)
{
	int result = multiply(s->width, s->height);

	return result;
}

__attribute__((noinline)) void bump(void)
{
	counter++;
	if (counter % 256 == 0)
		small++;
}

__attribute__((noinline)) void scatter(void)
{
	volatile int local = 0; /* for watchpoints on the stack */

	field[counter % sizeof(field)]++;
	local++;
}

__attribute__((noinline)) void trap(void)
{
	__asm__ volatile(".globl guest_int3\nguest_int3: int3");
}

__attribute__((noinline)) void triple_fault(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

static void look_around(void)
{
	uint32_t sum = 0;
	uint64_t value;

	for (const uint8_t *p = _start; p < etext; p++)
		sum = sum * 31 + *p;
	__asm__("movq %%dr7, %0" : "=r"(value));
	code_sum = sum;
	dr7 = value;
}

static void obey(void)
{
	if (panic) {
		uint8_t event = (uint8_t)panic;

		panic = 0;
		out8(PORT_PANIC, event);
	}
	if (reset)
		out8(PORT_RESET, RESET_NOW);
	if (power_off)
		out16(PORT_PM_CONTROL, PM_OFF);
	if (lost) /* to where nothing is */
		((void (*)(void))0xd0000000)();
	if (crash)
		triple_fault();
}

void guest_main(void)
{
	look_around();
	idt_load();
	out8(PORT_DEBUG, MARK_LONG);
	while (!stop) {
		area = measure(&shape);
		bump();
		scatter();
		if (own_int3)
			trap();
		obey();
		if (counter % 65536 == 0)
			out8(PORT_COM1, '.');
	}
	out8(PORT_DEBUG, MARK_DONE);
}

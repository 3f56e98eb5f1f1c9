/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest with something to step through, to print and to watch: it counts for ever, writes a dot to the serial port
 * now and then, and executes a breakpoint instruction of its own, which its own handler counts, when `own_trap` is set.
 * It ends when `stop` is set, and crashes, panics or resets when it is told to. It starts with the sum of its own code
 * and the look of its debug registers, for whoever suspects that somebody was there before. What is different on each
 * architecture is in its machine.h. Start on x86: --flat-mode=long.
 */
#include <stdint.h>

volatile uint32_t trap_count; /* its handler counts here */

#include "machine.h"

struct shape {
	int width, height;
	const char *name;
};

volatile uint64_t counter;
volatile uint8_t small; /* for watchpoints of one byte; changes with every 256th count */
volatile uint32_t stop, crash, own_trap;
volatile uint32_t panic; /* an event for the panic device */
volatile uint32_t reset, power_off, lost;
volatile uint32_t code_sum;
volatile uint64_t debug_control;
struct shape shape = { 3, 4, "rectangle" };
volatile int area;
volatile uint8_t field[40]; /* one byte changes with each count, in turn */

extern const uint8_t _start[], etext[];
void guest_main(void);

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
	machine_trap();
}

static void look_around(void)
{
	uint32_t sum = 0;

	for (const uint8_t *p = _start; p < etext; p++)
		sum = sum * 31 + *p;
	code_sum = sum;
	debug_control = machine_debug_control();
}

static void obey(void)
{
	if (panic) {
		uint8_t event = (uint8_t)panic;

		panic = 0;
		machine_panic(event);
	}
	if (reset)
		machine_reset();
	if (power_off)
		machine_power_off();
	if (lost)
		machine_get_lost();
	if (crash)
		machine_crash();
}

void guest_main(void)
{
	look_around();
	machine_start();
	while (!stop) {
		area = measure(&shape);
		bump();
		scatter();
		if (own_trap)
			trap();
		obey();
		if (counter % 65536 == 0)
			machine_say('.');
	}
	machine_done();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_BENCH_H
#define TESTS_GUESTS_BENCH_H

/*
 * Where things are in the guest of the benchmarks (bench.S): raw code that starts at BENCH_CODE, turns the MMU on,
 * writes an 'R' to the serial port and counts for ever.
 */
#define BENCH_RAM 0x40000000
#define BENCH_CODE 0x40100000
#define BENCH_STEPS 0x40100100     /* a loop of 4 instructions that goes round x9 times, and then on at */
#define BENCH_STEPS_END 0x40100180 /* where it counts for ever */
#define BENCH_BUMP 0x40100200      /* the function that counts; a nop comes first */
#define BENCH_WORK 0x40100280      /* a fixed piece of work, then a '.' to the serial port, for ever */
#define BENCH_HALT 0x40100300      /* interrupts masked, wfi, for ever */
#define BENCH_COUNTER 0x40100800   /* 8 bytes */
#define BENCH_MAPPED 0x8000000
#define BENCH_LOOP_LEN 4

/* How it is started, and GDB's numbers of what the client needs. */
#define BENCH_OPTION "--flat"
#define BENCH_PLACE "@0x40100000"
#define BENCH_LOOP_REG 9
#define BENCH_PC_REG 32
#define BENCH_BP_KIND 4
#define BENCH_READ_AT 0x40400000

#endif

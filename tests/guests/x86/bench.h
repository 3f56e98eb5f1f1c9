/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_BENCH_H
#define TESTS_GUESTS_BENCH_H

/*
 * Where things are in the guest of the benchmarks (bench.S). It is a firmware image of BENCH_ROM_SIZE, so that every
 * VMM can start it; it copies its work to BENCH_CODE, maps the first BENCH_MAPPED bytes to themselves in pages of 4
 * KiB, and to BENCH_HIGH once more, writes an 'R' to the serial port in 64-bit mode and counts for ever.
 */
#define BENCH_ROM_SIZE 0x10000
#define BENCH_COPIED 0x100 /* in the image: what it copies */
#define BENCH_CODE 0x100000
#define BENCH_STEPS 0x100100     /* a loop of 4 instructions that goes round rcx times, and then on at */
#define BENCH_STEPS_END 0x100180 /* where it counts for ever */
#define BENCH_BUMP 0x100200      /* the function that counts; a nop comes first */
#define BENCH_WORK 0x100280      /* a fixed piece of work, then a '.' to the serial port, for ever */
#define BENCH_HALT 0x100300      /* interrupts off, hlt, for ever */
#define BENCH_CODES 0x100380     /* rcx bytes to the debug port, a '.' to the serial port, and on at BENCH_HALT */
#define BENCH_PORT 0x80          /* the debug port; it has one byte before the 'R', too */
#define BENCH_COUNTER 0x100800   /* 8 bytes */
#define BENCH_STACK 0x110000
#define BENCH_TABLES 0x200000
#define BENCH_MAPPED 0x8000000
#define BENCH_HIGH 0x100000000
#define BENCH_LOOP_LEN 4

/* How it is started, and GDB's numbers of what the client needs. */
#define BENCH_OPTION "--firmware"
#define BENCH_PLACE ""
#define BENCH_LOOP_REG 2 /* rcx */
#define BENCH_PC_REG 16
#define BENCH_BP_KIND 1
#define BENCH_READ_AT 0x400000

#endif

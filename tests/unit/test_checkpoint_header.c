/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest/include/gdbvm/checkpoint.h against the decoder, and against the other encoder in checkpoint_frames.h. */
#include <stddef.h>
#include <stdint.h>

/* The guest's debug port. */
static struct {
	uint8_t byte[16384];
	size_t n;
} wire;

#define GDBVM_CHECKPOINT_PUT(b) ((void)(wire.byte[wire.n++ % sizeof(wire.byte)] = (uint8_t)(b)))
#include "gdbvm/checkpoint.h"

#include "checkpoint/frame.h"
#include "checkpoint_frames.h"
#include "test.h"

/* The next frame from *@at on, which must be good. */
static void take(struct frame *f, size_t *at)
{
	enum frame_event event = FRAME_NONE;
	const char *why;

	while (event != FRAME_DONE && *at < wire.n) {
		event = frame_feed(f, wire.byte[(*at)++], &why);
		CHECK(event != FRAME_NONE && event != FRAME_BROKEN);
	}
	CHECK_EQ(event, FRAME_DONE);
}

static void check_wire(uint8_t kind, uint16_t id, const void *payload, uint16_t len)
{
	uint8_t expected[8192];
	const size_t n = frame_make(kind, id, payload, len, expected);

	CHECK_EQ(wire.n, n);
	CHECK(!memcmp(wire.byte, expected, n));
}

TEST(a_code_is_one_byte)
{
	wire.n = 0;
	CHECKPOINT(0xcd);
	CHECKPOINT(0x1234 >> 8);
	CHECK_EQ(wire.n, 2);
	CHECK_EQ(wire.byte[0], 0xcd);
	CHECK_EQ(wire.byte[1], 0x12);
}

TEST(a_number_is_a_frame)
{
	const uint64_t numbers[] = { 0, 1, 0x1122334455667788, UINT64_MAX };

	for (unsigned i = 0; i < 4; i++) {
		uint8_t payload[8];

		st_le64(payload, numbers[i]);
		wire.n = 0;
		CHECKPOINT_U64(0xbeef + i, numbers[i]);
		check_wire(FRAME_U64, (uint16_t)(0xbeef + i), payload, 8);
		CHECK_EQ(wire.n, 21);
	}
}

TEST(memory_is_frames_of_at_most_a_page)
{
	static uint8_t mem[4096 + 904];
	const size_t sizes[] = { 0, 1, 6, 7, 8, 4096 };
	uint8_t payload[8 + 4096];

	for (size_t i = 0; i < sizeof(mem); i++)
		mem[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned i = 0; i < 6; i++) {
		st_le64(payload, (uintptr_t)mem);
		memcpy(payload + 8, mem, sizes[i]);
		wire.n = 0;
		CHECKPOINT_MEM(mem, sizes[i]);
		check_wire(FRAME_MEM, 0, payload, (uint16_t)(8 + sizes[i]));
	}

	struct frame f = { 0 };
	size_t at = 0;
	wire.n = 0;
	CHECKPOINT_MEM(mem, sizeof(mem));
	take(&f, &at);
	CHECK_EQ(ld_le16(f.msg + 3), 8 + 4096);
	CHECK(!memcmp(f.msg + 13, mem, 4096));
	take(&f, &at);
	CHECK_EQ(ld_le64(f.msg + 5), (uintptr_t)mem + 4096);
	CHECK(!memcmp(f.msg + 13, mem + 4096, 904));
	CHECK_EQ(at, wire.n);
}

#if defined(__x86_64__)
TEST(registers_of_a_program_are_a_frame)
{
	struct frame f = { 0 };
	size_t at = 0;
	uint64_t near, stack;

	wire.n = 0;
	__asm__ volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1" : "=r"(near), "=r"(stack));
	CHECKPOINT_REGS();
	take(&f, &at);
	CHECK_EQ(at, wire.n);
	CHECK_EQ(frame_kind(&f), FRAME_REGS_X86_64);
	CHECK_EQ(ld_le16(f.msg + 3), 24 * 8); /* no control registers */
	const uint64_t rsp = ld_le64(f.msg + 5 + 4 * 8), rip = ld_le64(f.msg + 5 + 16 * 8);
	CHECK_EQ(rsp, stack);
	CHECK(rip > near && rip < near + 4096);
	CHECK_EQ(ld_le64(f.msg + 5 + 18 * 8), 0x33); /* Linux's selector of 64-bit programs */
}
#endif

#ifndef __x86_64__
TEST(registers_of_a_program_are_a_frame)
{
	skip(); /* there they are read at EL1 and above only */
}
#endif

TESTS(T(a_code_is_one_byte), T(a_number_is_a_frame), T(memory_is_frames_of_at_most_a_page),
      T(registers_of_a_program_are_a_frame))

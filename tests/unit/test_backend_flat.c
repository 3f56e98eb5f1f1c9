/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>

#include "backend/flat_code.h"
#include "backend/flat_start.h"
#include "util/macros.h"

/* flat_start.S */
extern const uint8_t flat_start_code[], flat_start_params[], flat_start_end[];

TEST(bytes_of_the_start_code_are_what_its_source_assembles_to)
{
	const size_t n = (size_t)(flat_start_end - flat_start_code);

	if (n == sizeof(flat_code) && memcmp(flat_code, flat_start_code, n) == 0 &&
	    flat_start_params - flat_start_code == FLAT_PARAMS_AT)
		return;
	print_message("enum { FLAT_PARAMS_AT = %#tx };\n", flat_start_params - flat_start_code);
	for (size_t i = 0; i < n; i++)
		print_message("0x%02x,%s", flat_start_code[i], i % 16 == 15 ? "\n" : " ");
	fail_msg("flat_code.h is not what flat_start.S assembles to");
}

TEST(start_image_jumps_from_the_reset_vector_and_has_the_state)
{
	static uint8_t rom[FLAT_ROM_SIZE];
	struct x86_regs r = { .rip = 0x1234, .seg[X86_CS] = { .sel = 0x800, .base = 0x8000 } };

	CHECK_EQ(flat_rom_build(&r, rom), 0);
	CHECK_EQ(rom[FLAT_ROM_SIZE - 16], 0xea);
	CHECK_EQ(rom[FLAT_PARAMS_AT], 0x34);
	CHECK_EQ(rom[FLAT_PARAMS_AT + 1], 0x12);
	r.seg[X86_CS].base = 0x8001;
	CHECK_EQ(flat_rom_build(&r, rom), -EINVAL);
}

TESTS(T(bytes_of_the_start_code_are_what_its_source_assembles_to),
      T(start_image_jumps_from_the_reset_vector_and_has_the_state))

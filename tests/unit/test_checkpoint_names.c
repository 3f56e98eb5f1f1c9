/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/names.h"

#include <errno.h>
#include <stdio.h>

#include "test.h"

static struct checkpoint_names *names_of(const char *text)
{
	struct checkpoint_names *n;
	struct errtext why = { "" };

	CHECK_EQ(checkpoint_names_create(&n), 0);
	CHECK_EQ(checkpoint_names_parse(n, "test", text, strlen(text), &why), 0);
	return n;
}

static const char *name_of(const struct checkpoint_names *n, uint32_t space, uint64_t key)
{
	const struct checkpoint_name *x = checkpoint_names_find(n, space, key);

	return x ? x->name : "-";
}

TEST(map_names_values_with_their_source)
{
	struct checkpoint_names *n =
		names_of("# a comment\n\n0x16 REAL boot.S:12 # another\r\n 32\tPROTECTED\n0xffff LAST");

	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 0x16), "REAL");
	CHECK_STR(checkpoint_names_find(n, CHECKPOINT_NAME_VALUE, 0x16)->source, "boot.S:12");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 32), "PROTECTED");
	CHECK(!checkpoint_names_find(n, CHECKPOINT_NAME_VALUE, 32)->source);
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 0xffff), "LAST");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 0x17), "-");
	checkpoint_names_destroy(n);
}

TEST(what_is_told_again_replaces_what_was_told_before)
{
	struct checkpoint_names *n = names_of("3 c\n1 a\n2 b\n1 again x.c:1\n");

	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 1), "again");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 2), "b");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 3), "c");
	checkpoint_names_destroy(n);
}

TEST(sites_count_at_the_instruction_and_right_behind_it)
{
	struct checkpoint_names *n = names_of("site 0xfffffe90 FIRST\nsite 0x1000 SECOND\n");

	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xfffffe90), "FIRST");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xfffffe92), "FIRST");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xfffffe94), "FIRST");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xfffffe95), "-");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xfff), "-");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 0x1000), "-");
	checkpoint_names_destroy(n);
}

TEST(noise_is_told_by_place_and_perhaps_value)
{
	struct checkpoint_names *n = names_of("noise 0x90000-0x9ffff io_delay\nnoise 0x1000 tick 0x00\n");

	CHECK_STR(checkpoint_names_noise(n, 0x90000, 0x55), "io_delay");
	CHECK_STR(checkpoint_names_noise(n, 0x9ffff, 0), "io_delay");
	CHECK(!checkpoint_names_noise(n, 0xa0000, 0));
	CHECK_STR(checkpoint_names_noise(n, 0x1002, 0), "tick");
	CHECK(!checkpoint_names_noise(n, 0x1002, 1));
	CHECK(!checkpoint_names_noise(n, 0x1005, 0));
	checkpoint_names_destroy(n);
}

/* KASLR, by 0x15e00000. */
TEST(places_in_linux_are_known_where_it_was_moved_to)
{
	struct checkpoint_names *n = names_of("site 0xffffffff810009d9 PFN a.c:3\nsite 0x1000 LOW\n"
					      "noise 0xffffffff8103baa0-0xffffffff8103bad7 native_io_delay\n"
					      "noise 0x2000-0x2010 low\n");

	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff96e009d9), "PFN");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff96e009db), "PFN");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff802009d9), "PFN");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff810009d9), "PFN");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff810009e0), "-");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffffc00009d9), "-");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0x2009d9), "-");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff90001000), "-");
	CHECK_STR(checkpoint_names_noise(n, 0xffffffff96e3baba, 0), "native_io_delay");
	CHECK(!checkpoint_names_noise(n, 0xffffffff96e3bad8, 0));
	CHECK(!checkpoint_names_noise(n, 0xffffffffc003baba, 0));
	CHECK(!checkpoint_names_noise(n, 0xffffffff80002001, 0));
	checkpoint_names_destroy(n);
}

TEST(a_site_of_a_moved_linux_that_may_be_two_has_no_name)
{
	struct checkpoint_names *n = names_of("site 0xffffffff81000100 FIRST\nsite 0xffffffff81200100 SECOND\n"
					      "site 0xffffffff813ffffe THIRD\nsite 0xffffffff81400003 FOURTH\n"
					      "site 0xffffffff81600102 FIFTH\n");

	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff81000100), "FIRST"); // Linux is where it was linked
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff81200102), "SECOND");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff91000100), "-");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff91000102), "-"); // behind the first two, or at the fifth
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff91000106), "FIFTH");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff911ffffe), "THIRD");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff91200000), "THIRD");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff91200003), "FOURTH");
	CHECK_STR(name_of(n, CHECKPOINT_NAME_SITE, 0xffffffff91000200), "-");
	checkpoint_names_destroy(n);
}

TEST(sequences_have_fields_of_any_type)
{
	struct checkpoint_names *n = names_of("sequence 0xcd SME_PFN pfn:le32\nsequence 1 MANY a:u8 b:be64 c:le16\n");
	const struct checkpoint_sequence *q = checkpoint_names_sequence(n, 0xcd);

	CHECK(q && q->nfields == 1 && q->bytes == 4 && !q->field[0].big_endian);
	CHECK_STR(q->name, "SME_PFN");
	CHECK_STR(checkpoint_names_field(n, q->field[0].id), "pfn");
	q = checkpoint_names_sequence(n, 1);
	CHECK(q && q->nfields == 3 && q->bytes == 11 && q->field[1].big_endian);
	CHECK(!checkpoint_names_sequence(n, 2) && !checkpoint_names_sequence(n, 0x1cd));
	checkpoint_names_destroy(n);
}

TEST(maps_that_make_no_sense_are_refused_by_line)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{ "0x16", "line 1: expected a value, a name" },
		{ "1 a\n\n0x1g b", "line 3: '0x1g': expected a number" },
		{ "1 a b c", "line 1" },
		{ "what 1 2", "'what': expected a value, sequence" },
		{ "sequence 0x7e X a:u8", "'0x7e': expected another value" },
		{ "sequence 0x100 X a:u8", "'0x100': expected a number up to 0xff" },
		{ "0x10000000000000000 X", "of 64 bits" },
		{ "sequence 1 X a:le24", "'le24': expected u8, le16" },
		{ "sequence 1 X a", "'a': expected FIELD:TYPE" },
		{ "sequence 1 X", "expected sequence VALUE" },
		{ "record 0x10000 X", "up to 0xffff" },
		{ "noise 5-4 X", "'4': expected an address" },
		{ "noise 5", "expected noise" },
		{ "meaning", "expected the name of a field" },
		{ "1 \x80", "printable ASCII" },
		{ "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "more than 16 words" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct checkpoint_names *n;
		struct errtext why = { "" };

		CHECK_EQ(checkpoint_names_create(&n), 0);
		CHECK_EQ(checkpoint_names_parse(n, "some.map", bad[i].text, strlen(bad[i].text), &why), -EINVAL);
		CHECK_EQ(strncmp(why.text, "some.map, line ", 15), 0);
		if (!strstr(why.text, bad[i].words))
			fail_msg("'%s' for '%s', expected '%s'", why.text, bad[i].text, bad[i].words);
		checkpoint_names_destroy(n);
	}
}

TEST(a_map_that_is_not_there_is_told_from_those_that_need_no_file)
{
	struct checkpoint_names *n;
	struct errtext why = { "" };

	CHECK_EQ(checkpoint_names_create(&n), 0);
	CHECK_EQ(checkpoint_names_load(n, "ovfm", &why), -ENOENT);
	CHECK(strstr(why.text, "no map ovfm: No such file or directory: expected a file, or ovmf, efi"));
	checkpoint_names_destroy(n);
}

TEST(builtin_maps_know_firmware_and_its_status_codes)
{
	struct checkpoint_names *n;
	struct errtext why = { "" };

	CHECK_EQ(checkpoint_names_create(&n), 0);
	CHECK_EQ(checkpoint_names_load(n, "ovmf", &why), 0);
	CHECK_EQ(checkpoint_names_load(n, "efi", &why), 0);
	CHECK_EQ(checkpoint_names_load(n, "linux", &why), 0);
	CHECK_EQ(checkpoint_names_load(n, "seabios", &why), 0);
	CHECK_STR(name_of(n, CHECKPOINT_NAME_VALUE, 0x64), "64BIT_MODE");
	const uint32_t progress = CHECKPOINT_NAME_FIELD + checkpoint_names_sequence(n, 0xed)->field[0].id;
	const uint32_t error = CHECKPOINT_NAME_FIELD + checkpoint_names_sequence(n, 0xee)->field[0].id;
	CHECK_STR(name_of(n, progress, 0x03020000), "PEI_CORE.INIT");
	CHECK_STR(name_of(n, progress, 0x03021001), "PEI_CORE.HANDOFF_TO_NEXT");
	CHECK_STR(name_of(n, progress, 0x03040003), "DXE_CORE.INIT_END");
	CHECK_STR(name_of(n, progress, 0x03051007), "DXE_BS_DRIVER.ATTEMPT_BOOT_ORDER_EVENT");
	CHECK_STR(name_of(n, error, 0x01050003), "SERIAL_PORT.NOT_DETECTED");
	CHECK_STR(name_of(n, error, 0x03000011), "SOFTWARE.EVENT_LOG_FULL");
	CHECK_STR(name_of(n, progress, 0x03058000), "-");
	CHECK_STR(checkpoint_names_noise(n, 0x90200, 0), "io_delay");
	CHECK_EQ(checkpoint_names_load(n, "/no/such/map", &why), -ENOENT);
	CHECK(strstr(why.text, "/no/such/map"));
	checkpoint_names_destroy(n);
	checkpoint_names_destroy(NULL);
}

TESTS(T(map_names_values_with_their_source), T(what_is_told_again_replaces_what_was_told_before),
      T(sites_count_at_the_instruction_and_right_behind_it), T(noise_is_told_by_place_and_perhaps_value),
      T(places_in_linux_are_known_where_it_was_moved_to), T(a_site_of_a_moved_linux_that_may_be_two_has_no_name),
      T(sequences_have_fields_of_any_type), T(maps_that_make_no_sense_are_refused_by_line),
      T(a_map_that_is_not_there_is_told_from_those_that_need_no_file),
      T(builtin_maps_know_firmware_and_its_status_codes))

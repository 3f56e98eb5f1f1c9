/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static struct checkpoint_scan *scan(const void *image, size_t n)
{
	struct checkpoint_scan *s = NULL;
	struct errtext why = { "" };
	void *copy = malloc(n + 1); // exact bounds for a sanitizer

	CHECK(copy);
	memcpy(copy, image, n);
	if (checkpoint_scan_image("image", copy, n, &s, &why) < 0)
		fail_msg("%s", why.text);
	free(copy);
	return s;
}

TEST(firmware_sites_are_where_the_image_ends_at_4_gib)
{
	uint8_t image[4096];

	memset(image, 0x90, sizeof(image));
	memcpy(image + 0x10, (uint8_t[]){ 0xb0, 0x16, 0xe6, 0x80 }, 4);
	memcpy(image + 0xffc, (uint8_t[]){ 0xb0, 0xb1, 0xe6, 0x80 }, 4);
	struct checkpoint_scan *s = scan(image, sizeof(image));
	CHECK(!s->elf);
	CHECK_EQ(s->nsites, 2);
	CHECK_EQ(s->site[0].at, 0xfffff012);
	CHECK_EQ(s->site[0].value, 0x16);
	CHECK_EQ(s->site[1].at, 0xfffffffe);
	CHECK_EQ(s->site[1].value, 0xb1);
	checkpoint_scan_destroy(s);
}

TEST(every_way_to_load_a_constant_is_known)
{
	static const struct {
		uint8_t code[8], len;
		uint32_t value;
		unsigned sites;
	} ways[] = {
		{ { 0xb0, 0x42, 0xe6, 0x80 }, 4, 0x42, 1 },
		{ { 0xb8, 0xc0, 0, 0, 0, 0xe6, 0x80 }, 7, 0xc0, 1 },
		{ { 0xb8, 0xc0, 0, 0xe6, 0x80 }, 5, 0xc0, 1 },
		{ { 0xb8, 0x44, 0x33, 0x22, 0x11, 0xe7, 0x80 }, 7, 0, 0 },
		{ { 0x31, 0xc0, 0xe6, 0x80 }, 4, 0, 1 },
		{ { 0xe6, 0x80 }, 2, 0, 0 },
		{ { 0xb0, 0x42, 0xe6, 0x81 }, 4, 0, 0 },
		{ { 0xb8, 0xc0, 1, 0, 0, 0xe6, 0x80 }, 7, 0, 0 },
		{ { 0xb0, 0x42, 0xe6 }, 3, 0, 0 },
		{ { 0xb0 }, 1, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct checkpoint_scan *s = scan(ways[i].code, ways[i].len);

		CHECK_EQ(s->nsites, ways[i].sites);
		if (s->nsites) {
			CHECK_EQ(s->site[0].value, ways[i].value);
			CHECK_EQ(s->site[0].at, 0xfffffffe);
		}
		checkpoint_scan_destroy(s);
	}
}

TEST(what_is_printed_is_a_map_that_names_by_pc)
{
	static const uint8_t image[] = { 0xb0, 0x32, 0xe6, 0x80, 0x90, 0xb0, 0x99, 0xe6, 0x80, 0x90 };
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_scan *s = scan(image, sizeof(image));
	struct checkpoint_names *names, *read;
	struct errtext why;

	CHECK_EQ(checkpoint_names_create(&names), 0);
	CHECK_EQ(checkpoint_names_create(&read), 0);
	CHECK_EQ(checkpoint_names_load(names, "ovmf", &why), 0);
	checkpoint_scan_add(&out, "my #1.fd", s, names);
	CHECK_STR(strbuf_str(&out), "# my..1.fd: 2 checkpoints of port 0x80: instrumented\n"
				    "site 0xfffffff8 32BIT_MODE # 0x32\n# site 0xfffffffd 0x99 # 0x99\n");
	CHECK_EQ(checkpoint_names_parse(read, "scan", out.s, out.len, &why), 0);
	CHECK_STR(checkpoint_names_find(read, CHECKPOINT_NAME_SITE, 0xfffffff8)->name, "32BIT_MODE");
	CHECK(!checkpoint_names_find(read, CHECKPOINT_NAME_SITE, 0xfffffffd)); // another map may have one for 0x99
	checkpoint_names_destroy(names);
	checkpoint_names_destroy(read);
	checkpoint_scan_destroy(s);
}

TEST(the_first_byte_of_a_frame_is_told_from_a_checkpoint)
{
	static const uint8_t image[] = { 0xb0, 0x7e, 0xe6, 0x80, 0xb0, 0x99, 0xe6, 0x80, 0xb0, 0x7e, 0xe6, 0x80 };
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct checkpoint_scan *s = scan(image, sizeof(image));

	checkpoint_scan_add(&out, "a.fd", s, NULL);
	CHECK_STR(strbuf_str(&out), "# a.fd: 1 checkpoint and 2 frames of port 0x80: instrumented\n"
				    "site 0xfffffff6 frame # 0x7e, begins a frame\n# site 0xfffffffa 0x99 # 0x99\n"
				    "site 0xfffffffe frame # 0x7e, begins a frame\n");
	checkpoint_scan_destroy(s);
	s = scan(image, 4);
	strbuf_reset(&out);
	checkpoint_scan_add(&out, "a.fd", s, NULL);
	CHECK(strstr(strbuf_str(&out), "# a.fd: 1 frame of port 0x80: instrumented\n"));
	checkpoint_scan_destroy(s);
}

TEST(raw_code_is_where_it_is_loaded)
{
	char path[] = "/tmp/gdbvm-test-XXXXXX";
	const int fd = mkstemp(path);
	struct checkpoint_scan *s = NULL;
	struct errtext why;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "\x90\xb0\x16\xe6\x80", 5), 5);
	CHECK_EQ(checkpoint_scan_flat(path, 0x8000, &s, &why), 0);
	CHECK_EQ(s->nsites, 1);
	CHECK_EQ(s->site[0].at, 0x8003);
	CHECK_EQ(s->site[0].phys, 0x8003);
	checkpoint_scan_destroy(s);
	close(fd);
	unlink(path);
	CHECK_EQ(checkpoint_scan_flat(path, 0x8000, &s, &why), -ENOENT);
}

TEST(files_that_are_no_images_are_refused)
{
	struct checkpoint_scan *s = NULL;
	struct errtext why;
	char broken[64] = "\177ELF\x02\x01\x01";

	CHECK_EQ(checkpoint_scan_file("/no/such/image", &s, &why), -ENOENT);
	CHECK(strstr(why.text, "/no/such/image"));
	CHECK_EQ(checkpoint_scan_file("/dev/null", &s, &why), -EINVAL);
	CHECK_EQ(checkpoint_scan_image("broken", broken, 20, &s, &why), -EINVAL);
	CHECK(strstr(why.text, "broken") && !s);
	CHECK_EQ(checkpoint_scan_image("disk", (char[]){ 0, 0, 0, 0 }, (UINT64_C(1) << 31) + 1, &s, &why), -EINVAL);
	CHECK(strstr(why.text, "disk has 2147483649 bytes") && strstr(why.text, "expected up to 2 GiB"));
	broken[16] = 2;         // ET_EXEC
	broken[18] = (char)183; // EM_AARCH64
	broken[20] = 1;
	broken[52] = 64;
	CHECK_EQ(checkpoint_scan_image("kernel", broken, 64, &s, &why), -EINVAL);
	CHECK(strstr(why.text, "machine 183"));
}

TESTS(T(firmware_sites_are_where_the_image_ends_at_4_gib), T(every_way_to_load_a_constant_is_known),
      T(what_is_printed_is_a_map_that_names_by_pc), T(the_first_byte_of_a_frame_is_told_from_a_checkpoint),
      T(raw_code_is_where_it_is_loaded), T(files_that_are_no_images_are_refused))

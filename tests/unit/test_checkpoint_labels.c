/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/labels.h"

#include <stdio.h>
#include <stdlib.h>

#include "checkpoint_frames.h"
#include "test.h"

struct rig {
	struct checkpoint_names *names;
	struct checkpoint_labels *labels;
	struct checkpoint_label last;
	uint64_t seq;
};

static void rig_init(struct rig *r, const char *map)
{
	struct errtext why;

	*r = (struct rig){ 0 };
	CHECK_EQ(checkpoint_names_create(&r->names), 0);
	CHECK_EQ(checkpoint_names_parse(r->names, "test", map, strlen(map), &why), 0);
	CHECK_EQ(checkpoint_labels_create(r->names, &r->labels), 0);
}

static void rig_deinit(struct rig *r)
{
	checkpoint_labels_destroy(r->labels);
	checkpoint_names_destroy(r->names);
}

static const struct checkpoint_label *at(struct rig *r, int vcpu, uint64_t pc, uint8_t value)
{
	const struct checkpoint_record rec = {
		.seq = ++r->seq, .value = value, .size = 1, .port = 0x80, .vcpu = (int16_t)vcpu, .pc = pc, .has_pc = pc
	};

	checkpoint_labels_of(r->labels, &rec, &r->last);
	return &r->last;
}

static const struct checkpoint_label *put(struct rig *r, int vcpu, uint8_t value)
{
	return at(r, vcpu, 0, value);
}

static void check_field(const struct checkpoint_label *l, unsigned i, const char *name, const char *value)
{
	CHECK(i < l->nfields);
	CHECK_STR(l->field[i].name, name);
	CHECK_STR(l->field[i].value, value);
}

TEST(values_and_sites_have_names)
{
	struct rig r;

	rig_init(&r, "0x32 32BIT x.asm:1\nsite 0xfffffa57 TDX_32BIT\n");
	CHECK_STR(put(&r, 0, 0x32)->name, "32BIT");
	CHECK_STR(r.last.source, "x.asm:1");
	CHECK_STR(at(&r, 0, 0xfffffa59, 0x32)->name, "TDX_32BIT");
	CHECK(!put(&r, 0, 0x33)->name);
	rig_deinit(&r);
}

TEST(a_page_frame_number_is_put_together)
{
	static const uint8_t bytes[] = { 0xcd, 0x00, 0x00, 0x10, 0x00 };
	struct rig r;

	rig_init(&r, "sequence 0xcd SME_PFN pfn:le32\n0x10 NOT_THIS\n");
	put(&r, 0, 0x55);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_STR(put(&r, 0, bytes[i])->part, "SME_PFN");
		CHECK_EQ(r.last.nfields, 0);
	}
	CHECK_STR(put(&r, 0, bytes[4])->name, "SME_PFN");
	CHECK_EQ(r.last.first, 2);
	CHECK_EQ(r.last.nfields, 1);
	check_field(&r.last, 0, "pfn", "0x100000");
	CHECK_STR(put(&r, 0, 0x10)->name, "NOT_THIS");
	rig_deinit(&r);
}

TEST(sequences_of_two_vcpus_do_not_mix)
{
	struct rig r;

	rig_init(&r, "sequence 0xcd PFN pfn:le16\n");
	put(&r, 0, 0xcd);
	put(&r, 1, 0xcd);
	put(&r, 0, 0x34);
	put(&r, 1, 0x78);
	check_field(put(&r, 1, 0x56), 0, "pfn", "0x5678");
	check_field(put(&r, 0, 0x12), 0, "pfn", "0x1234");
	CHECK_EQ(r.last.first, 1);
	rig_deinit(&r);
}

TEST(a_sequence_is_named_by_what_its_field_means)
{
	static const uint8_t bytes[] = { 0xed, 0x03, 0x02, 0x10, 0x01 };
	struct errtext why;
	struct rig r;

	rig_init(&r, "");
	CHECK_EQ(checkpoint_names_load(r.names, "efi", &why), 0);
	for (unsigned i = 0; i < 5; i++)
		put(&r, 0, bytes[i]);
	CHECK_STR(r.last.name, "PEI_CORE.HANDOFF_TO_NEXT");
	check_field(&r.last, 0, "progress", "0x3021001");
	for (unsigned i = 0; i < 5; i++)
		put(&r, 0, i ? 0xff : 0xee);
	CHECK_STR(r.last.name, "EFI_ERROR");
	check_field(&r.last, 0, "error", "0xffffffff");
	rig_deinit(&r);
}

TEST(noise_by_its_site_is_labelled_and_no_data)
{
	struct rig r;

	rig_init(&r, "noise 0x90000-0x9ffff io_delay\nsequence 0xcd PFN pfn:le16\n");
	put(&r, 0, 0xcd);
	CHECK_STR(at(&r, 0, 0x90123, 0)->noise, "io_delay");
	CHECK(!r.last.part && !r.last.name);
	put(&r, 0, 0);
	check_field(put(&r, 0, 0x12), 0, "pfn", "0x1200");
	rig_deinit(&r);
}

/* Sends a frame; what @between gives is written by the same vCPU after each byte, as io_delay does. */
static const struct checkpoint_label *send(struct rig *r, int vcpu, const uint8_t *wire, size_t n, int between)
{
	for (size_t i = 0; i < n; i++) {
		put(r, vcpu, wire[i]);
		if (between >= 0 && i + 1 < n) {
			CHECK_STR(r->last.part, "frame");
			put(r, vcpu, (uint8_t)between);
			CHECK(!r->last.part);
		}
	}
	return &r->last;
}

TEST(a_frame_carries_a_value_through_noise)
{
	uint8_t wire[64], value[8];
	struct rig r;

	rig_init(&r, "record 0x1234 PAGE_TABLES head64.c:30\n");
	st_le64(value, 0xfeedfacecafe0080);
	const size_t n = frame_make(1, 0x1234, value, 8, wire);
	for (size_t i = 0; i < n; i++)
		CHECK(i == 0 ? wire[i] == 0x7e : wire[i] >= 0x80);
	for (int between = -1; between < 0x7e; between += 9) {
		const uint64_t first = r.seq + 1;

		CHECK_STR(send(&r, 0, wire, n, between)->name, "PAGE_TABLES");
		CHECK_STR(r.last.source, "head64.c:30");
		CHECK_EQ(r.last.first, first);
		CHECK(!r.last.broken);
		CHECK_EQ(r.last.nfields, 2);
		check_field(&r.last, 0, "id", "0x1234");
		check_field(&r.last, 1, "value", "0xfeedfacecafe0080");
	}
	rig_deinit(&r);
}

TEST(frames_of_many_vcpus_are_taken_apart)
{
	enum { VCPUS = 8 };
	uint8_t wire[VCPUS][64], value[8];
	size_t n = 0;
	struct rig r;

	rig_init(&r, "");
	for (unsigned i = 0; i < VCPUS; i++) {
		st_le64(value, i * 0x0101010101010101u);
		n = frame_make(1, (uint16_t)(i + 1), value, 8, wire[i]);
	}
	for (size_t at_byte = 0; at_byte < n; at_byte++)
		for (unsigned i = 0; i < VCPUS; i++) {
			put(&r, (int)i, wire[i][at_byte]);
			if (at_byte + 1 < n)
				continue;
			char expected[24];
			snprintf(expected, sizeof(expected), "0x%llx", i * 0x0101010101010101ull);
			CHECK_STR(r.last.name, "value");
			check_field(&r.last, 1, "value", expected);
		}
	rig_deinit(&r);
}

TEST(register_and_memory_dumps_are_decoded)
{
	uint8_t wire[8192], payload[4104];
	struct rig r;

	rig_init(&r, "");
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i < 29; i++)
		st_le64(payload + 8 * i, 0x1000 + i);
	send(&r, 0, wire, frame_make(0x10, 0, payload, 29 * 8, wire), 0);
	CHECK_STR(r.last.name, "registers");
	CHECK_EQ(r.last.nfields, 29);
	check_field(&r.last, 0, "rax", "0x1000");
	check_field(&r.last, 16, "rip", "0x1010");
	check_field(&r.last, 28, "efer", "0x101c");
	send(&r, 0, wire, frame_make(0x10, 7, payload, 18 * 8, wire), -1);
	CHECK_EQ(r.last.nfields, 19);
	check_field(&r.last, 0, "id", "0x7");
	check_field(&r.last, 18, "rflags", "0x1011");
	send(&r, 0, wire, frame_make(0x11, 0, payload, 20 * 4, wire), -1);
	check_field(&r.last, 19, "cr4", "0x0");
	send(&r, 0, wire, frame_make(0x12, 0, payload, 44 * 8, wire), -1);
	CHECK_EQ(r.last.nfields, 44);
	check_field(&r.last, 43, "spsr", r.last.field[43].value);
	send(&r, 0, wire, frame_make(2, 0, payload, sizeof(payload), wire), 0);
	CHECK_STR(r.last.name, "memory");
	check_field(&r.last, 0, "address", "0x1000");
	CHECK_STR(r.last.field[1].name, "data");
	CHECK_EQ(strlen(r.last.field[1].value), 8192);
	CHECK_EQ(strncmp(r.last.field[1].value, "0110", 4), 0);
	rig_deinit(&r);
}

TEST(what_looks_like_a_frame_and_is_none_is_said)
{
	uint8_t wire[64], value[8] = { 1 };
	const size_t n = frame_make(1, 5, value, 8, wire);
	struct rig r;

	rig_init(&r, "0x42 PLAIN\n0x99 CODE\n");
	wire[10] ^= 4;
	CHECK_STR(send(&r, 0, wire, n, -1)->broken, "check sum");
	CHECK_EQ(r.last.first, 1);
	CHECK_EQ(r.last.nfields, 0);
	wire[10] ^= 4;

	CHECK_STR(put(&r, 0, 0x42)->name, "PLAIN");
	CHECK_STR(put(&r, 0, 0x99)->name, "CODE"); // no frame is open
	send(&r, 0, wire, n / 2, -1);
	CHECK_STR(put(&r, 0, 0x7e)->broken, "another frame begins");
	CHECK_STR(put(&r, 0, 0x42)->name, "PLAIN"); // within a frame
	CHECK_STR(send(&r, 0, wire + 1, n - 1, -1)->name, "value");

	put(&r, 0, 0x7e);
	put(&r, 0, 0x42);
	CHECK_STR(put(&r, 0, 0x99)->broken, "unknown kind"); // a code as any other
	CHECK_STR(r.last.name, "CODE");
	CHECK(!r.last.part);
	CHECK_EQ(r.last.first, r.seq - 2);
	CHECK(!put(&r, 0, 0x99)->broken);

	put(&r, 0, 0x7e);
	for (unsigned i = 0; i < 5; i++)
		CHECK(!put(&r, 0, 0x81)->broken);
	CHECK_STR(put(&r, 0, 0x81)->broken, "unknown kind"); // 0x81
	st_le64(value, 1);
	send(&r, 0, wire, frame_make(1, 5, value, 7, wire) > 7 ? 7 : 0, -1);
	CHECK_STR(r.last.broken, "wrong length");
	rig_deinit(&r);
}

TEST(wide_writes_belong_to_no_frame)
{
	const struct checkpoint_record wide = { .seq = 1, .value = 0xcd, .size = 4, .port = 0x80 };
	struct rig r;

	rig_init(&r, "sequence 0xcd PFN pfn:le16\n0xcd WIDE\n");
	checkpoint_labels_of(r.labels, &wide, &r.last);
	CHECK_STR(r.last.name, "WIDE");
	CHECK(!put(&r, 0, 0x11)->part);
	rig_deinit(&r);
}

TESTS(T(values_and_sites_have_names), T(a_page_frame_number_is_put_together), T(sequences_of_two_vcpus_do_not_mix),
      T(a_sequence_is_named_by_what_its_field_means), T(noise_by_its_site_is_labelled_and_no_data),
      T(a_frame_carries_a_value_through_noise), T(frames_of_many_vcpus_are_taken_apart),
      T(register_and_memory_dumps_are_decoded), T(what_looks_like_a_frame_and_is_none_is_said),
      T(wide_writes_belong_to_no_frame))

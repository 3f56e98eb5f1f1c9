/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/stops.h"

#include <errno.h>

#include "checkpoint_frames.h"
#include "test.h"

struct rig {
	struct checkpoint_names *names;
	struct checkpoint_stops *stops;
	uint64_t seq;
	char text[96];
};

static void rig_init(struct rig *r, const char *map)
{
	struct errtext why;

	*r = (struct rig){ 0 };
	CHECK_EQ(checkpoint_names_create(&r->names), 0);
	CHECK_EQ(checkpoint_names_parse(r->names, "test", map, strlen(map), &why), 0);
	CHECK_EQ(checkpoint_stops_create(r->names, &r->stops), 0);
}

static void rig_deinit(struct rig *r)
{
	checkpoint_stops_destroy(r->stops);
	checkpoint_names_destroy(r->names);
}

static unsigned add(struct rig *r, enum checkpoint_stop_kind kind, uint64_t value, const char *name)
{
	struct checkpoint_stop stop = { .kind = kind, .value = value };

	strcpy(stop.name, name);
	CHECK_EQ(checkpoint_stops_add(r->stops, &stop), 0);
	return stop.number;
}

static unsigned put(struct rig *r, int vcpu, uint8_t value)
{
	const struct checkpoint_record rec = { .seq = ++r->seq,
					       .value = value,
					       .size = 1,
					       .port = 0x80,
					       .vcpu = (int16_t)vcpu,
					       .pc = 0x1000 + r->seq,
					       .has_pc = true };

	return checkpoint_stops_hear(r->stops, &rec, r->text, sizeof(r->text));
}

TEST(a_value_stops_and_is_told_in_words)
{
	struct rig r;

	rig_init(&r, "0x16 16BIT_MODE\n");
	CHECK_EQ(add(&r, CHECKPOINT_STOP_VALUE, 0x32, ""), 1);
	CHECK_EQ(add(&r, CHECKPOINT_STOP_VALUE, 0x16, ""), 2);
	CHECK_EQ(put(&r, 0, 0x64), 0);
	CHECK_EQ(put(&r, 3, 0x16), 2);
	CHECK_STR(r.text, "checkpoint 2: 0x16 16BIT_MODE, port 0x80, vCPU 3, pc 0x1002");
	CHECK_EQ(put(&r, 0, 0x32), 1);
	CHECK_STR(r.text, "checkpoint 3: 0x32, port 0x80, vCPU 0, pc 0x1003");
	rig_deinit(&r);
}

TEST(a_value_of_another_width_is_the_same_value)
{
	const struct checkpoint_record rec = { .seq = 7, .value = 0x32, .size = 4, .port = 0x9000000, .mmio = true };
	struct rig r;

	rig_init(&r, "");
	add(&r, CHECKPOINT_STOP_VALUE, 0x32, "");
	CHECK_EQ(checkpoint_stops_hear(r.stops, &rec, r.text, sizeof(r.text)), 1);
	CHECK_STR(r.text, "checkpoint 7: 0x00000032, address 0x9000000, vCPU 0");
	rig_deinit(&r);
}

TEST(noise_stops_nobody)
{
	struct rig r;

	rig_init(&r, "noise 0x1001 io_delay\n");
	add(&r, CHECKPOINT_STOP_VALUE, 0, "");
	CHECK_EQ(put(&r, 0, 0), 0);
	r.seq = 100;
	CHECK_EQ(put(&r, 0, 0), 1);
	rig_deinit(&r);
}

TEST(a_name_stops_whatever_has_it)
{
	struct rig r;

	rig_init(&r, "0x16 HERE\n0x17 THERE\n0x18 HERE\nsite 0x1003 HERE\n");
	add(&r, CHECKPOINT_STOP_NAME, 0, "HERE");
	CHECK_EQ(put(&r, 0, 0x16), 1);
	CHECK_EQ(put(&r, 0, 0x17), 0);
	CHECK_EQ(put(&r, 0, 0x17), 1); // by its site
	CHECK_EQ(put(&r, 0, 0x18), 1);
	rig_deinit(&r);
}

TEST(a_sequence_stops_at_its_last_byte)
{
	static const uint8_t bytes[] = { 0xcd, 0x00, 0x10, 0xcd, 0x34, 0x12 };
	struct rig r;

	rig_init(&r, "sequence 0xcd SME_PFN pfn:le16\nmeaning pfn 0x1000 LOAD_ADDRESS\n");
	add(&r, CHECKPOINT_STOP_NAME, 0, "SME_PFN");
	add(&r, CHECKPOINT_STOP_NAME, 0, "LOAD_ADDRESS");
	for (unsigned i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(put(&r, 0, bytes[i]), i == 2 ? 2 : i == 5 ? 1 : 0);
	CHECK_STR(r.text, "checkpoint 6: SME_PFN pfn=0x1234, port 0x80, vCPU 0, pc 0x1006");
	rig_deinit(&r);
}

TEST(a_frame_stops_at_its_last_byte_among_others)
{
	uint8_t wire[64], payload[8] = { 0x2a };
	struct rig r;

	rig_init(&r, "record 7 MY_RECORD\n");
	add(&r, CHECKPOINT_STOP_RECORD, 7, "");
	add(&r, CHECKPOINT_STOP_RECORD, 8, "");
	for (unsigned id = 9; id >= 7; id--) {
		const size_t n = frame_make(1, (uint16_t)id, payload, sizeof(payload), wire);

		for (size_t i = 0; i < n; i++) {
			CHECK_EQ(put(&r, 0, wire[i]), i < n - 1 || id == 9 ? 0 : id - 6);
			CHECK_EQ(put(&r, 1, 0x00), 0);
		}
	}
	rig_deinit(&r);
}

TEST(a_frame_without_a_name_goes_by_its_kind)
{
	uint8_t wire[64], payload[8] = { 0x2a };
	const size_t n = frame_make(1, 3, payload, sizeof(payload), wire);
	struct rig r;

	rig_init(&r, "0x16 KNOWN\n");
	CHECK(checkpoint_can_be_called(r.names, "value"));
	CHECK(checkpoint_can_be_called(r.names, "KNOWN"));
	CHECK(!checkpoint_can_be_called(r.names, "UNKNOWN"));
	CHECK(!checkpoint_can_be_called(NULL, "KNOWN"));
	add(&r, CHECKPOINT_STOP_NAME, 0, "value");
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(put(&r, 0, wire[i]), i == n - 1);
	CHECK(strstr(r.text, ": value id=0x3 value=0x2a, port"));
	rig_deinit(&r);
}

TEST(what_is_too_long_is_cut_but_not_where_it_came_from)
{
	uint8_t wire[600], payload[200] = { 0 };
	const size_t n = frame_make(2, 3, payload, sizeof(payload), wire);
	struct rig r;

	rig_init(&r, "");
	add(&r, CHECKPOINT_STOP_RECORD, 3, "");
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(put(&r, 0, wire[i]), i == n - 1);
	CHECK(strlen(r.text) < sizeof(r.text));
	CHECK(strstr(r.text, ": memory id=0x3 address=0x0 data=0000"));
	CHECK(strstr(r.text, "00..., port 0x80, vCPU 0, pc 0x1"));
	rig_deinit(&r);
}

TEST(what_was_written_before_may_be_the_beginning)
{
	struct rig r;
	const struct checkpoint_record first = { .seq = 1, .value = 0xcd, .size = 1, .port = 0x80 };

	rig_init(&r, "sequence 0xcd PFN pfn:u8\n");
	add(&r, CHECKPOINT_STOP_NAME, 0, "PFN");
	checkpoint_stops_heard(r.stops, &first);
	r.seq = 1;
	CHECK_EQ(put(&r, 0, 0x55), 1);
	rig_deinit(&r);
}

TEST(numbers_stay_and_hits_are_counted)
{
	const struct checkpoint_stop *list;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct rig r;
	unsigned n;

	rig_init(&r, "0x16 KNOWN\nrecord 9 REC\n");
	add(&r, CHECKPOINT_STOP_VALUE, 0x16, "");
	add(&r, CHECKPOINT_STOP_RECORD, 9, "");
	CHECK_EQ(add(&r, CHECKPOINT_STOP_VALUE, 0x16, ""), 1);
	put(&r, 0, 0x16);
	put(&r, 0, 0x16);
	list = checkpoint_stops_list(r.stops, &n);
	CHECK_EQ(n, 2);
	CHECK_EQ(list[0].hits, 2);
	checkpoint_stop_describe(r.stops, &list[0], &out);
	checkpoint_stop_describe(r.stops, &list[1], &out);
	CHECK_STR(strbuf_str(&out), "value 0x16, KNOWNrecord 0x9, REC");
	CHECK_EQ(checkpoint_stops_remove(r.stops, 1), 0);
	CHECK_EQ(checkpoint_stops_remove(r.stops, 1), -ENOENT);
	CHECK_EQ(put(&r, 0, 0x16), 0);
	list = checkpoint_stops_list(r.stops, &n);
	CHECK_EQ(n, 1);
	CHECK_EQ(list[0].number, 2);
	for (unsigned i = 1; i < CHECKPOINT_STOPS_MAX; i++)
		CHECK_EQ(add(&r, CHECKPOINT_STOP_VALUE, 0x1000 + i, ""), i + 2);
	CHECK_EQ(checkpoint_stops_add(r.stops, &(struct checkpoint_stop){ .value = 0x17 }), -ENOSPC);
	rig_deinit(&r);
}

TEST(text_and_marks_are_no_values)
{
	struct rig r;

	rig_init(&r, "");
	add(&r, CHECKPOINT_STOP_VALUE, 0, "");
	for (unsigned kind = CHECKPOINT_TEXT; kind < CHECKPOINT_NKINDS; kind++)
		CHECK_EQ(checkpoint_stops_hear(r.stops,
					       &(struct checkpoint_record){ .kind = (uint8_t)kind, .text = "x" },
					       r.text, sizeof(r.text)),
			 0);
	rig_deinit(&r);
}

TESTS(T(a_value_stops_and_is_told_in_words), T(a_value_of_another_width_is_the_same_value), T(noise_stops_nobody),
      T(a_name_stops_whatever_has_it), T(a_sequence_stops_at_its_last_byte),
      T(a_frame_stops_at_its_last_byte_among_others), T(a_frame_without_a_name_goes_by_its_kind),
      T(what_is_too_long_is_cut_but_not_where_it_came_from), T(what_was_written_before_may_be_the_beginning),
      T(numbers_stay_and_hits_are_counted), T(text_and_marks_are_no_values))

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/format.h"

#include <errno.h>

#include "test.h"

/* As Linux 6.18 has it. */
static const char kvm_pio[] = "name: kvm_pio\n"
			      "ID: 110\n"
			      "format:\n"
			      "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
			      "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
			      "\n"
			      "\tfield:unsigned int rw;\toffset:8;\tsize:4;\tsigned:0;\n"
			      "\tfield:unsigned int port;\toffset:12;\tsize:4;\tsigned:0;\n"
			      "\tfield:unsigned long support;\toffset:16;\tsize:8;\tsigned:0;\n"
			      "\tfield:char text[16];\toffset:24;\tsize:16;\tsigned:0;\n"
			      "\n"
			      "print fmt: \"pio_%s at 0x%x\", REC->rw ? \"write\" : \"read\", REC->port\n";

TEST(the_number_and_the_fields_of_a_tracepoint_are_found)
{
	struct trace_field f;
	uint64_t id = 0;

	CHECK_EQ(trace_format_id(kvm_pio, &id), 0);
	CHECK_EQ(id, 110);
	CHECK_EQ(trace_format_field(kvm_pio, "port", &f), 0);
	CHECK_EQ(f.offset, 12);
	CHECK_EQ(f.size, 4);
	CHECK_EQ(trace_format_field(kvm_pio, "support", &f), 0);
	CHECK_EQ(f.offset, 16);
	CHECK_EQ(f.size, 8);
}

TEST(a_field_that_is_not_there_or_no_number_is_refused)
{
	struct trace_field f = { 1, 2 };
	uint64_t id = 7;

	CHECK_EQ(trace_format_field(kvm_pio, "por", &f), -EPROTO);
	CHECK_EQ(trace_format_field(kvm_pio, "ort", &f), -EPROTO);
	CHECK_EQ(trace_format_field(kvm_pio, "val", &f), -EPROTO);
	CHECK_EQ(trace_format_field(kvm_pio, "text[16]", &f), -EPROTO);
	CHECK_EQ(trace_format_field("\tfield:int port;\toffset:x;\tsize:4;", "port", &f), -EPROTO);
	CHECK_EQ(trace_format_field("\tfield:int port;\toffset:99999;\tsize:4;", "port", &f), -EPROTO);
	CHECK_EQ(trace_format_field("\tfield:int port", "port", &f), -EPROTO);
	CHECK_EQ(f.offset, 1);
	CHECK_EQ(trace_format_id("name: kvm_pio\n", &id), -EPROTO);
	CHECK_EQ(trace_format_id("ID: many\n", &id), -EPROTO);
	CHECK_EQ(id, 7);
}

TEST(a_value_is_taken_by_the_size_of_its_field)
{
	const uint8_t sample[] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	CHECK_EQ(trace_field_get(&(struct trace_field){ 2, 1 }, sample, 8), 3);
	CHECK_EQ(trace_field_get(&(struct trace_field){ 4, 4 }, sample, 8), 0x08070605);
	CHECK_EQ(trace_field_get(&(struct trace_field){ 0, 8 }, sample, 8), 0x0807060504030201);
	CHECK_EQ(trace_field_get(&(struct trace_field){ 6, 4 }, sample, 8), 0); // it would end behind the sample
}

TESTS(T(the_number_and_the_fields_of_a_tracepoint_are_found), T(a_field_that_is_not_there_or_no_number_is_refused),
      T(a_value_is_taken_by_the_size_of_its_field))

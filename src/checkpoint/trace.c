/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: "Trace Event Format", the JSON array and object formats of Chrome's tracing. */
#include <inttypes.h>
#include <stdio.h>

#include "checkpoint/file.h"
#include "checkpoint/internal.h"

enum { THREADS_MAX = 1024, THREAD_UNKNOWN = 1023 };

static unsigned thread_of(const struct checkpoint_record *rec)
{
	return rec->vcpu >= 0 && rec->vcpu < THREAD_UNKNOWN ? (unsigned)rec->vcpu : THREAD_UNKNOWN;
}

/* Is it something that the vCPU has reached? The rest are events at a point in time. */
static bool is_phase(const struct checkpoint_entry *e)
{
	return e->rec.kind == CHECKPOINT_WRITE && !e->label.noise && (!e->label.part || e->label.nfields);
}

static void add_us(struct strbuf *out, const char *key, uint64_t ns)
{
	strbuf_addf(out, ",\"%s\":%" PRIu64 ".%03" PRIu64, key, ns / 1000, ns % 1000);
}

static void add_name(struct strbuf *out, const struct checkpoint_entry *e)
{
	char value[24] = "";
	const char *name = e->rec.kind == CHECKPOINT_TEXT ? e->rec.text : e->label.name;

	snprintf(value, sizeof(value), "0x%0*" PRIx64, 2 * e->rec.size, e->rec.value);
	checkpoint_json_string(out, "name", name ?: value);
}

static void add_args(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e)
{
	const struct checkpoint_entry *head = checkpoint_file_head(f, e);

	strbuf_addf(out, ",\"args\":{\"seq\":%" PRIu64, e->rec.seq);
	if (e->rec.kind == CHECKPOINT_WRITE)
		strbuf_addf(out, ",\"value\":\"0x%" PRIx64 "\"", head->rec.value);
	if (e->rec.has_pc)
		strbuf_addf(out, ",\"pc\":\"0x%" PRIx64 "\"", e->rec.pc);
	if (e->label.source) {
		strbuf_addc(out, ',');
		checkpoint_json_string(out, "source", e->label.source);
	}
	for (unsigned i = 0; i < e->label.nfields; i++) { // apart: a field may be called as one of the above
		strbuf_adds(out, i ? "," : ",\"fields\":{");
		checkpoint_json_string(out, e->label.field[i].name, e->label.field[i].value);
	}
	strbuf_adds(out, e->label.nfields ? "}}" : "}");
}

static void add_event(struct strbuf *out, const struct checkpoint_file *f, const struct checkpoint_entry *e,
		      const struct checkpoint_entry *next)
{
	const char *kind = e->rec.kind == CHECKPOINT_TEXT ? "text" : e->label.noise ? "noise" : "checkpoint";

	strbuf_adds(out, ",\n{");
	add_name(out, e);
	strbuf_addf(out, ",\"cat\":\"%s\",\"pid\":1,\"tid\":%u", kind, thread_of(&e->rec));
	add_us(out, "ts", e->rec.ns > f->began_ns ? e->rec.ns - f->began_ns : 0);
	if (next) {
		strbuf_adds(out, ",\"ph\":\"X\"");
		add_us(out, "dur", next->rec.ns > e->rec.ns ? next->rec.ns - e->rec.ns : 0);
	} else {
		strbuf_adds(out, ",\"ph\":\"i\",\"s\":\"t\"");
	}
	add_args(out, f, e);
	strbuf_addc(out, '}');
}

static void add_thread_name(struct strbuf *out, unsigned thread)
{
	strbuf_addf(out, ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"args\":{\"name\":\"",
		    thread);
	if (thread == THREAD_UNKNOWN)
		strbuf_adds(out, "vCPU unknown\"}}");
	else
		strbuf_addf(out, "vCPU %u\"}}", thread);
}

void checkpoint_trace_add(struct strbuf *out, const struct checkpoint_file *f)
{
	const struct checkpoint_entry *last[THREADS_MAX] = { NULL };
	bool named[THREADS_MAX] = { false };

	strbuf_adds(out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
			 "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":0,\"args\":{\"name\":\"guest\"}}");
	for (size_t i = 0; i < f->n; i++) {
		const struct checkpoint_entry *e = &f->entry[i];
		const unsigned thread = thread_of(&e->rec);

		if (e->rec.seq == 0 || (e->label.part && !is_phase(e)))
			continue;
		if (!named[thread])
			add_thread_name(out, thread);
		named[thread] = true;
		if (!is_phase(e)) {
			add_event(out, f, e, NULL);
			continue;
		}
		if (last[thread])
			add_event(out, f, last[thread], e);
		last[thread] = e;
	}
	for (unsigned i = 0; i < THREADS_MAX; i++)
		if (last[i])
			add_event(out, f, last[i], NULL);
	strbuf_adds(out, "\n]}\n");
}

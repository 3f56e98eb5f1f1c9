/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/vcpus.h"

#include <stdlib.h>
#include <unistd.h>

#include "trace/process.h"
#include "util/macros.h"

void trace_vcpus_deinit(struct trace_vcpus *v)
{
	for (unsigned i = 0; i < v->n; i++)
		trace_event_close(&v->thread[i].entry);
	free(v->thread);
	*v = (struct trace_vcpus){ 0 };
}

static struct trace_thread *add(struct trace_vcpus *v, int tid)
{
	if (v->n == v->cap) {
		const unsigned cap = MAX(2 * v->cap, 16);
		struct trace_thread *grown = reallocarray(v->thread, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		v->thread = grown;
		v->cap = cap;
	}
	v->thread[v->n] = (struct trace_thread){ .tid = tid, .vcpu = trace_process_vcpu(v->pid, tid), .entry.fd = -1 };
	return &v->thread[v->n++];
}

static struct trace_thread *find(struct trace_vcpus *v, int tid)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->thread[i].tid == tid)
			return &v->thread[i];
	return NULL;
}

const struct trace_thread *trace_vcpus_find(struct trace_vcpus *v, const struct trace_points *p, int tid,
					    uint64_t round)
{
	struct trace_thread *t = find(v, tid);
	const struct trace_event_cfg cfg = {
		.id = p->entry,
		.tid = tid,
		.cpu = -1,
		.ring_size = (size_t)sysconf(_SC_PAGESIZE),
		.once = true,
	};

	if (!t && (t = add(v, tid)) && p->entry)
		trace_event_open(&cfg, &t->entry); // if that fails, it is a thread whose vCPU is not known
	if (t && !t->round)
		t->round = round;
	return t;
}

void trace_vcpus_update(struct trace_vcpus *v, const struct trace_points *p)
{
	for (unsigned i = 0; i < v->n; i++) {
		struct trace_thread *t = &v->thread[i];
		struct trace_sample s;

		if (t->entry.fd < 0 || !trace_ring_next(&t->entry.ring, &s) || s.lost)
			continue;
		t->vcpu = (int)trace_field_get(&p->vcpu, s.raw, s.n);
		trace_event_close(&t->entry);
	}
}

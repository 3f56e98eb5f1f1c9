/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: "OpenMetrics", version 1.0, text format. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/internal.h"
#include "checkpoint/outcome.h"

enum {
	PHASES_MAX = 1000, // a guest that counts on its port would make one of each number
	VCPUS_MAX = 256,
};

struct phase {
	char *name;
	uint64_t count, ns;
};

struct checkpoint_metrics {
	struct phase *phase; // ascending by name
	size_t nphases;
	struct phase other;
	struct {
		uint64_t since; // ns; 0: nothing yet
		char *phase;
	} vcpu[VCPUS_MAX + 1]; // the last one: not known
	uint64_t first_ns, last_ns, units, noise, lines, lost;
	bool oom;
};

int checkpoint_metrics_create(struct checkpoint_metrics **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void checkpoint_metrics_destroy(struct checkpoint_metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nphases; i++)
		free(m->phase[i].name);
	for (size_t i = 0; i < ARRAY_LEN(m->vcpu); i++)
		free(m->vcpu[i].phase);
	free(m->phase);
	free(m);
}

static size_t place_of(const struct checkpoint_metrics *m, const char *name)
{
	size_t from = 0, to = m->nphases;

	while (from < to) {
		const size_t mid = from + (to - from) / 2;

		if (strcmp(m->phase[mid].name, name) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static struct phase *phase_of(struct checkpoint_metrics *m, const char *name)
{
	const size_t at = place_of(m, name);

	if (at < m->nphases && strcmp(m->phase[at].name, name) == 0)
		return &m->phase[at];
	if (m->nphases == PHASES_MAX)
		return &m->other;
	if (!m->phase)
		m->phase = calloc(PHASES_MAX, sizeof(*m->phase));

	char *copy = m->phase ? strdup(name) : NULL;
	if (!copy) {
		m->oom = true;
		return &m->other;
	}
	memmove(&m->phase[at + 1], &m->phase[at], (m->nphases++ - at) * sizeof(*m->phase));
	m->phase[at] = (struct phase){ .name = copy };
	return &m->phase[at];
}

/* The phase that the unit begins, and the end of the one before. */
static void take_write(struct checkpoint_metrics *m, const struct checkpoint_record *rec, const char *name)
{
	const unsigned vcpu = rec->vcpu >= 0 && rec->vcpu < VCPUS_MAX ? (unsigned)rec->vcpu : VCPUS_MAX;

	m->first_ns = m->units ? MIN(m->first_ns, rec->ns) : rec->ns;
	m->last_ns = MAX(m->last_ns, rec->ns);
	m->units++;
	phase_of(m, name)->count++;
	if (rec->ns < m->vcpu[vcpu].since) // a byte of what was taken for a frame: others have come since
		return;
	if (m->vcpu[vcpu].phase)
		phase_of(m, m->vcpu[vcpu].phase)->ns += rec->ns - m->vcpu[vcpu].since;
	free(m->vcpu[vcpu].phase);
	m->vcpu[vcpu].phase = strdup(name);
	m->vcpu[vcpu].since = rec->ns;
}

void checkpoint_metrics_unit(struct checkpoint_metrics *m, const struct checkpoint_record *rec,
			     const struct checkpoint_label *label)
{
	char value[24];

	if (rec->kind == CHECKPOINT_TEXT)
		m->lines++;
	if (rec->kind == CHECKPOINT_LOST)
		m->lost += rec->value;
	if (rec->kind == CHECKPOINT_WRITE && label->noise)
		m->noise++;
	if (rec->kind != CHECKPOINT_WRITE || label->noise)
		return;
	snprintf(value, sizeof(value), "0x%0*" PRIx64, 2 * rec->size, rec->value);
	take_write(m, rec, label->name ?: value);
}

/* ---- the text ---- */

static void begin(struct strbuf *out, const char *name, const char *type, const char *unit, const char *help)
{
	strbuf_addf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		strbuf_addf(out, "# UNIT %s %s\n", name, unit);
	strbuf_addf(out, "# HELP %s %s\n", name, help);
}

static void add_counter(struct strbuf *out, const char *name, uint64_t value, const char *help)
{
	begin(out, name, "counter", NULL, help);
	strbuf_addf(out, "%s_total %" PRIu64 "\n", name, value);
}

static void add_ns(struct strbuf *out, uint64_t ns)
{
	strbuf_addf(out, " %" PRIu64 ".%09" PRIu64 "\n", ns / NS_PER_S, ns % NS_PER_S);
}

static void add_seconds(struct strbuf *out, const char *name, uint64_t ns, const char *help)
{
	begin(out, name, "gauge", "seconds", help);
	strbuf_adds(out, name);
	add_ns(out, ns);
}

static void add_label(struct strbuf *out, const char *what, const char *name)
{
	strbuf_addf(out, "gdbvm_phase_seconds_%s{phase=\"", what);
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *name >= ' ' && *name <= '~' ? *name : '.');
	}
	strbuf_adds(out, "\"}");
}

static uint64_t since(uint64_t ns, uint64_t start)
{
	return ns > start ? ns - start : 0;
}

/* What vCPUs are still in lasts until the verdict. */
static uint64_t open_ns(const struct checkpoint_metrics *m, const struct phase *p, uint64_t end_ns)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < ARRAY_LEN(m->vcpu); i++) {
		const char *name = m->vcpu[i].phase;
		const size_t at = name ? place_of(m, name) : 0;
		const bool known = name && at < m->nphases && strcmp(m->phase[at].name, name) == 0;

		if (name && p == (known ? &m->phase[at] : &m->other))
			ns += since(end_ns, m->vcpu[i].since);
	}
	return ns;
}

static void add_phase(struct strbuf *out, const struct checkpoint_metrics *m, const struct phase *p, const char *name,
		      uint64_t end_ns)
{
	if (!p->count)
		return;
	add_label(out, "count", name);
	strbuf_addf(out, " %" PRIu64 "\n", p->count);
	add_label(out, "sum", name);
	add_ns(out, p->ns + open_ns(m, p, end_ns));
}

void checkpoint_metrics_add(struct strbuf *out, const struct checkpoint_metrics *m, const struct checkpoint_outcome *o)
{
	out->oom |= m->oom;
	add_counter(out, "gdbvm_checkpoints", m->units, "Checkpoints that the guest wrote, without noise.");
	add_counter(out, "gdbvm_checkpoints_noise", m->noise,
		    "Writes to the debug ports that the guest means nothing by.");
	add_counter(out, "gdbvm_checkpoints_lost", m->lost, "Writes that were not recorded.");
	add_counter(out, "gdbvm_debug_lines", m->lines, "Lines of text on the debug console.");
	if (m->units) {
		add_seconds(out, "gdbvm_first_checkpoint_seconds", since(m->first_ns, o->start_ns),
			    "From the start of the guest to its first checkpoint.");
		add_seconds(out, "gdbvm_last_checkpoint_seconds", since(m->last_ns, o->start_ns),
			    "From the start of the guest to its last checkpoint.");
	}
	add_seconds(out, "gdbvm_run_seconds", since(o->end_ns, o->start_ns),
		    "From the start of the guest to the verdict.");
	begin(out, "gdbvm_phase_seconds", "summary", "seconds",
	      "From a checkpoint to the next one of the same vCPU, or to the verdict, by its name.");
	for (size_t i = 0; i < m->nphases; i++)
		add_phase(out, m, &m->phase[i], m->phase[i].name, o->end_ns);
	add_phase(out, m, &m->other, "other", o->end_ns);
	begin(out, "gdbvm_verdict", "stateset", NULL, "How the boot came out.");
	for (unsigned i = VERDICT_NONE + 1; i < VERDICT_N; i++)
		strbuf_addf(out, "gdbvm_verdict{gdbvm_verdict=\"%s\"} %d\n", checkpoint_verdict_names[i],
			    o->verdict == i);
	strbuf_adds(out, "# EOF\n");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_OUTCOME_H
#define CHECKPOINT_OUTCOME_H

#include "checkpoint/expect.h"

/* How a boot that was watched came out. */
enum checkpoint_verdict {
	VERDICT_NONE,     /* not yet */
	VERDICT_MATCHED,  /* every expectation was met */
	VERDICT_DIVERGED, /* something else came, or the guest ended too early */
	VERDICT_STALLED,  /* nothing came for too long */
	VERDICT_CRASHED,
	VERDICT_ENDED, /* somebody ended the guest before there was another verdict */
	VERDICT_N
};

extern const char *const checkpoint_verdict_names[VERDICT_N];

struct checkpoint_outcome {
	enum checkpoint_verdict verdict;
	const char *why;             /* in words, perhaps several lines; not NULL */
	const struct golden *golden; /* NULL: nothing was expected */
	const struct expect *expect; /* likewise */
	uint64_t start_ns, end_ns;   /* as `ns` of records */
	uint64_t epoch_s;            /* of the start, since 1970 UTC */
};

/** checkpoint_junit_add() - as JUnit XML: a test case for each expectation. There is a golden file. */
void checkpoint_junit_add(struct strbuf *out, const struct checkpoint_outcome *o);

/* ---- OpenMetrics ---- */

/* Counts, and how long each phase was: from a checkpoint to the next one of the same vCPU, or to
 * the verdict. */
struct checkpoint_metrics;

int checkpoint_metrics_create(struct checkpoint_metrics **ret);
void checkpoint_metrics_destroy(struct checkpoint_metrics *m); /* NULL ok */

/** checkpoint_metrics_unit() - the next unit (see checkpoint_units). */
void checkpoint_metrics_unit(struct checkpoint_metrics *m, const struct checkpoint_record *rec,
			     const struct checkpoint_label *label);

/** checkpoint_metrics_add() - the text of all of them. */
void checkpoint_metrics_add(struct strbuf *out, const struct checkpoint_metrics *m, const struct checkpoint_outcome *o);

#endif

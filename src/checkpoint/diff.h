/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_DIFF_H
#define CHECKPOINT_DIFF_H

#include "checkpoint/file.h"

/* Two boots beside each other: which checkpoints are in both, and how long those lasted in each. */

struct checkpoint_diff_row {
	const struct checkpoint_entry *a, *b; /* NULL: not in that boot. Both: where its records begin. */
	uint64_t a_ns, b_ns; /* until the next one of the vCPU that is in both; 0: it is not, or the last */
	bool other_data;     /* in both, with other fields */
};

/*
 * Checkpoints are the same if vCPU, port, size, value and name are. Those of a vCPU are compared in their order, and
 * those of different vCPUs are not: boots differ in that by chance. Where a file does not know vCPUs they do not count.
 */
struct checkpoint_diff {
	const struct checkpoint_file *a, *b;
	struct checkpoint_diff_row *row; /* by vCPU, then in order */
	size_t n;
	size_t both, only_a, only_b, other_data; /* how many rows; other_data are in both, too */
};

/**
 * checkpoint_diff() - @all: every write counts, also noise, and bytes that something was put together from.
 * @a and @b must outlive it. Returns: 0; -ENOMEM.
 */
int checkpoint_diff(const struct checkpoint_file *a, const struct checkpoint_file *b, bool all,
		    struct checkpoint_diff **ret);
void checkpoint_diff_destroy(struct checkpoint_diff *d); /* NULL ok */
void checkpoint_diff_destroyp(struct checkpoint_diff **d);

/**
 * checkpoint_diff_add() - for people. @a, @b: what the files are called. @largest: 0: all rows; else those that differ,
 * and so many of those that are in both, the largest difference of time first.
 */
void checkpoint_diff_add(struct strbuf *out, const char *a, const char *b, const struct checkpoint_diff *d,
			 size_t largest);

#endif

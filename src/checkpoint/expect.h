/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_EXPECT_H
#define CHECKPOINT_EXPECT_H

#include "checkpoint/golden.h"

/*
 * A golden file against the checkpoints of a boot, as they come. All ways in which the lines can be meant are followed
 * at once, so `...` and optional lines need no guess.
 */
struct expect;

enum expect_state { EXPECT_OPEN, EXPECT_MATCHED, EXPECT_DIVERGED };

/** expect_create() - @g must outlive it. @start_ns: when the guest was let go, as `ns` of records. */
int expect_create(const struct golden *g, uint64_t start_ns, struct expect **ret);
void expect_destroy(struct expect *e); /* NULL ok */

/** expect_unit() - the next unit (see checkpoint_units). Once it is not open any more the state stays as it is. */
enum expect_state expect_unit(struct expect *e, const struct checkpoint_record *rec,
			      const struct checkpoint_label *label);

/** expect_power_off() - the guest switched itself off. */
enum expect_state expect_power_off(struct expect *e, uint64_t ns);

/** expect_untimed() - from now on nothing is too late: somebody has held the guest. */
void expect_untimed(struct expect *e);

/** expect_met_ns() - when an expectation was met last, on the way that got farthest; at first start_ns. */
uint64_t expect_met_ns(const struct expect *e);

/** expect_progress() - grows when a line is met that none of the ways had got to before. */
size_t expect_progress(const struct expect *e);

/** expect_wanted() - what could come next (diverged: could have come) and has not, at most @max items in their order.
 *  Returns: how many. */
size_t expect_wanted(const struct expect *e, const struct golden_item **out, size_t max);

struct expect_result {
	bool met;
	uint64_t seq, ns; /* of the record that met the line; power-off has the number 0 */
	uint64_t took_ns; /* since what was met before */
};

/** expect_results() - one for each item of the golden file, on the way that got farthest. */
void expect_results(const struct expect *e, struct expect_result *out);

#endif

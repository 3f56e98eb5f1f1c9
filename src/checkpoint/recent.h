/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_RECENT_H
#define CHECKPOINT_RECENT_H

#include "checkpoint/checkpoint.h"

/* The last records of a log, for who asks while it goes on. Any thread. */
struct checkpoint_recent;

enum { CHECKPOINT_RECENT_MAX = 8192 };

int checkpoint_recent_create(struct checkpoint_recent **ret);
void checkpoint_recent_destroy(struct checkpoint_recent *r); /* NULL ok */

/** checkpoint_recent_add() - a checkpoint_listener's function: keep a copy. What names the label points to outlive @r.
 */
void checkpoint_recent_add(void *recent, const struct checkpoint_record *rec, const struct checkpoint_label *label);

/** checkpoint_recent_table_add() - the last @rows rows as checkpoint_table_add() makes them, with times since the first
 *  record of all. Returns: false: there was none yet, and nothing is added. */
bool checkpoint_recent_table_add(struct checkpoint_recent *r, size_t rows, struct strbuf *out);

/** checkpoint_recent_each() - call @fn with each record that is kept, oldest first. */
void checkpoint_recent_each(struct checkpoint_recent *r, void (*fn)(void *arg, const struct checkpoint_record *rec),
			    void *arg);

#endif

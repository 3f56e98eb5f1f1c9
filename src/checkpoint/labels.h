/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_LABELS_H
#define CHECKPOINT_LABELS_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"

/*
 * What is known of a record beyond what was seen of it. Sequences and frames are put together from the bytes of one
 * vCPU at one port, so that others may write between them.
 */
struct checkpoint_labels;

/** checkpoint_labels_create() - @names: NULL ok; must outlive it. */
int checkpoint_labels_create(const struct checkpoint_names *names, struct checkpoint_labels **ret);
void checkpoint_labels_destroy(struct checkpoint_labels *l); /* NULL ok */

/** checkpoint_labels_of() - the label of the next record; its strings are there until the next call. */
void checkpoint_labels_of(struct checkpoint_labels *l, const struct checkpoint_record *rec,
			  struct checkpoint_label *out);

#endif

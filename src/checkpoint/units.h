/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_UNITS_H
#define CHECKPOINT_UNITS_H

#include "checkpoint/checkpoint.h"

/*
 * What counts as one checkpoint: a value, or all the bytes of a sequence or a frame together. Of those the record is
 * the last one, but for the value, which is that of the first byte. Where there is no frame after all, its bytes are
 * values as any others, but for the first one, which is nothing without a frame. They come when that is known: late.
 */
struct checkpoint_units;

/* @label: as checkpoint_labels_of() gave it, empty for the bytes of what is no frame. */
typedef void checkpoint_unit_fn(void *arg, const struct checkpoint_record *rec, const struct checkpoint_label *label);

int checkpoint_units_create(struct checkpoint_units **ret);
void checkpoint_units_destroy(struct checkpoint_units *u); /* NULL ok */

/** checkpoint_units_feed() - the next record: none or more units are complete now. Lines of text, noise and marks are
 *  units of their own. */
void checkpoint_units_feed(struct checkpoint_units *u, const struct checkpoint_record *rec,
			   const struct checkpoint_label *label, checkpoint_unit_fn *take, void *arg);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_STOPS_H
#define CHECKPOINT_STOPS_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"

/*
 * Which checkpoints stop the guest. Records are decoded here once more, when they are made: a log does that later. One
 * thread at a time.
 */
struct checkpoint_stops;

enum { CHECKPOINT_STOPS_MAX = 64, CHECKPOINT_STOP_NAME_MAX = 64 };

enum checkpoint_stop_kind {
	CHECKPOINT_STOP_VALUE,  /* each write of that value, whatever it is a part of; but no noise */
	CHECKPOINT_STOP_NAME,   /* what is called so; a sequence or a frame at its last byte */
	CHECKPOINT_STOP_RECORD, /* a frame with that id, at its last byte */
};

struct checkpoint_stop {
	unsigned number; /* from 1 */
	enum checkpoint_stop_kind kind;
	uint64_t value; /* or id */
	char name[CHECKPOINT_STOP_NAME_MAX];
	uint64_t hits;
};

/** checkpoint_stops_create() - @names: NULL ok; must outlive it. */
int checkpoint_stops_create(const struct checkpoint_names *names, struct checkpoint_stops **ret);
void checkpoint_stops_destroy(struct checkpoint_stops *s); /* NULL ok */

/**
 * checkpoint_stops_add() - one more, without its number, which is filled in. What is there already gets no other.
 * Returns: 0; -ENOSPC: there are too many.
 */
int checkpoint_stops_add(struct checkpoint_stops *s, struct checkpoint_stop *stop);

/** checkpoint_stops_remove() - returns: 0; -ENOENT. */
int checkpoint_stops_remove(struct checkpoint_stops *s, unsigned number);

/** checkpoint_stops_list() - *@n of them, by number; valid until the next change. */
const struct checkpoint_stop *checkpoint_stops_list(const struct checkpoint_stops *s, unsigned *n);

/**
 * checkpoint_stops_hear() - the next record.
 * @text: if it is a stop, the record in words; at most @size bytes.
 * Returns: the number of the stop; 0: it is none.
 */
unsigned checkpoint_stops_hear(struct checkpoint_stops *s, const struct checkpoint_record *rec, char *text,
			       size_t size);

/** checkpoint_stops_heard() - a record from before: nothing stops, but it may be the beginning of a sequence. */
void checkpoint_stops_heard(void *stops, const struct checkpoint_record *rec);

/** checkpoint_can_be_called() - is that a name: of a map, or what a frame goes by that has none? @names: NULL ok. */
bool checkpoint_can_be_called(const struct checkpoint_names *names, const char *name);

/** checkpoint_stop_describe() - e.g. "value 0x16, 16BIT_MODE". */
void checkpoint_stop_describe(const struct checkpoint_stops *s, const struct checkpoint_stop *stop, struct strbuf *out);

#endif

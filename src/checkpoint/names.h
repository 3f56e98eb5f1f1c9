/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_NAMES_H
#define CHECKPOINT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/errtext.h"

/*
 * What values mean, from map files and built-in maps (docs/checkpoints.md, "Map files"). Written before the first
 * record, only read afterwards: any thread then.
 */
struct checkpoint_names;

int checkpoint_names_create(struct checkpoint_names **ret);
void checkpoint_names_destroy(struct checkpoint_names *n); /* NULL ok */
void checkpoint_names_destroyp(struct checkpoint_names **n);

/**
 * checkpoint_names_load() - add a map: a built-in one if @spec is the name of one, else a file. What is told again
 * replaces what was told before.
 * Returns: 0; -ENOMEM; -EINVAL: a line makes no sense, and @why says which; what open(2) and read(2) return.
 */
int checkpoint_names_load(struct checkpoint_names *n, const char *spec, struct errtext *why);

/** checkpoint_names_parse() - likewise for the text of a map; @what: how @why is to call it. */
int checkpoint_names_parse(struct checkpoint_names *n, const char *what, const char *text, size_t len,
			   struct errtext *why);

/* ---- what they say ---- */

enum checkpoint_space {
	CHECKPOINT_NAME_VALUE,
	CHECKPOINT_NAME_RECORD, /* the key is the id of a framed record */
	CHECKPOINT_NAME_SITE,   /* the key is the address of an instruction */
	CHECKPOINT_NAME_FIELD,  /* plus the number of a field: the key is its value */
};

struct checkpoint_name {
	uint32_t space;
	uint64_t key;
	char *name, *source; /* source: FILE:LINE, NULL if not known */
};

/** checkpoint_names_find() - what @key is called in @space; NULL: nothing known. */
const struct checkpoint_name *checkpoint_names_find(const struct checkpoint_names *n, uint32_t space, uint64_t key);

/** checkpoint_names_knows() - is anything called that: a value, a record, a site, a sequence, a meaning? */
bool checkpoint_names_knows(const struct checkpoint_names *n, const char *name);

/** checkpoint_names_similar() - the name that @name may have been meant to be; NULL: there is none like it. */
const char *checkpoint_names_similar(const struct checkpoint_names *n, const char *name);

/** checkpoint_names_noise() - what writes @value at @pc without meaning anything by it; NULL: nothing known. */
const char *checkpoint_names_noise(const struct checkpoint_names *n, uint64_t pc, uint64_t value);

enum { CHECKPOINT_SEQUENCE_FIELDS = 8, CHECKPOINT_SEQUENCE_BYTES = 64 };

/* A byte after which others are data. */
struct checkpoint_sequence {
	uint8_t start;
	char *name;
	unsigned bytes; /* of data */
	unsigned nfields;
	struct {
		uint32_t id;
		uint8_t bytes;
		bool big_endian;
	} field[CHECKPOINT_SEQUENCE_FIELDS];
};

/** checkpoint_names_sequence() - that begins with @start; NULL: none. */
const struct checkpoint_sequence *checkpoint_names_sequence(const struct checkpoint_names *n, uint64_t start);

/** checkpoint_names_field() - the name of the field of that number. */
const char *checkpoint_names_field(const struct checkpoint_names *n, uint32_t id);

#endif

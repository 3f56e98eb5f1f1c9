/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_GOLDEN_H
#define CHECKPOINT_GOLDEN_H

#include "checkpoint/file.h"
#include "util/errtext.h"

/* What a boot is expected to write: docs/golden.md has the format. */
enum golden_kind {
	GOLDEN_VALUE,
	GOLDEN_TEXT,      /* a line of text */
	GOLDEN_NOISE,     /* a value that is labelled as noise */
	GOLDEN_POWER_OFF, /* the guest switches itself off; the last one */
	GOLDEN_GAP,       /* any number of checkpoints */
	GOLDEN_ANY,       /* the `members` after it, in any order */
};

enum { GOLDEN_FIELDS_MAX = 16, GOLDEN_MEMBERS_MAX = 64 };

struct golden_field {
	const char *name, *pattern;
};

struct golden_item {
	enum golden_kind kind;
	unsigned line;
	const char *text; /* the line, as it was written */
	const char *what; /* pattern of a value, a name, or a line of text */
	struct golden_field field[GOLDEN_FIELDS_MAX];
	unsigned nfields;
	bool optional, has_vcpu, has_port;
	uint16_t vcpu;
	uint64_t port;
	uint64_t within_ns; /* of the expectation that was met before; 0: no limit */
	unsigned members;
};

struct golden {
	char *path;
	struct golden_item *item;
	size_t n;
	char *lines, *words; /* what the strings above are in */
};

/**
 * golden_read() - returns: 0; -EINVAL: a line makes no sense, or nothing must be met; -ENOMEM; what open(2) and read(2)
 * return. @why names the file and the line.
 */
int golden_read(const char *path, struct golden **ret, struct errtext *why);

/** golden_parse() - likewise for text; @what: how @why is to call it. */
int golden_parse(const char *what, const char *text, size_t n, struct golden **ret, struct errtext *why);

void golden_destroy(struct golden *g); /* NULL ok */
void golden_destroyp(struct golden **g);

/** golden_check_names() - can each name of it come at all? Returns: 0; -EINVAL: no, and @why says which. */
int golden_check_names(const struct golden *g, const struct checkpoint_names *names, struct errtext *why);

/** golden_item_fits() - does the item mean this unit (see checkpoint_units), whenever it came? */
bool golden_item_fits(const struct golden_item *x, const struct checkpoint_record *rec,
		      const struct checkpoint_label *label);

/** golden_add() - a golden file that the records of @f meet: values in their order, without noise and text. */
void golden_add(struct strbuf *out, const struct checkpoint_file *f);

#endif

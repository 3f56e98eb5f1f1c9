/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_INTERNAL_H
#define CHECKPOINT_INTERNAL_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"

#define NS_PER_S UINT64_C(1000000000)

enum { CHECKPOINT_VERSION = 1 }; /* of the file; a reader takes its own and refuses later ones */

/* What modes, and marks, are called in the file. */
extern const char *const checkpoint_mode_names[CHECKPOINT_NMODES];
extern const char *const checkpoint_mark_names[CHECKPOINT_NKINDS];

/** checkpoint_json_string() - "KEY":"VALUE"; bytes that are not printable ASCII become points. */
void checkpoint_json_string(struct strbuf *out, const char *key, const char *value);

struct checkpoint_entry;

/** checkpoint_is_framed() - is it a byte of a frame? Those of a sequence may come between, on the same port. */
bool checkpoint_is_framed(const struct checkpoint_label *label);

/** checkpoint_what_add() - what is known of a record, in words; each begins with a space. Nothing: there is nothing. */
void checkpoint_what_add(struct strbuf *out, const struct checkpoint_entry *e);

/** checkpoint_read_file() - append the whole file to @out. */
int checkpoint_read_file(const char *path, struct strbuf *out, struct errtext *why);

/** checkpoint_builtin_load() - as checkpoint_names_load(); -ENOENT, without @why: no built-in map has that name. */
int checkpoint_builtin_load(struct checkpoint_names *n, const char *name, struct errtext *why);

/** checkpoint_names_put() - @key of @space is called @name, as said at @source; both are copied. Returns: 0; -ENOMEM.
 */
int checkpoint_names_put(struct checkpoint_names *n, uint32_t space, uint64_t key, const char *name,
			 const char *source);

/** checkpoint_names_field_id() - the number of the field of that name. -ENOSPC: there are too many. */
int checkpoint_names_field_id(struct checkpoint_names *n, const char *name, uint32_t *ret);

#endif

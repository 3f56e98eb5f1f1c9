/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_FILE_H
#define CHECKPOINT_FILE_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"

/* A file of records, as checkpoint_log_create() writes it, in memory. */
struct checkpoint_entry {
	struct checkpoint_record rec;
	struct checkpoint_label label;
};

struct checkpoint_file {
	uint64_t began_ns, epoch_ns; /* the same moment, as in records and since 1970 UTC */
	struct checkpoint_entry *entry;
	size_t n;
	bool torn;    /* the last line was not written to its end, and is left out */
	void *memory; /* all of the strings */
};

/**
 * checkpoint_file_read() - returns: 0; -EINVAL: it is no such file, or a line of it makes no sense; -ENOMEM; what
 * open(2) and read(2) return. @why names the file and the line.
 */
int checkpoint_file_read(const char *path, struct checkpoint_file **ret, struct errtext *why);

/** checkpoint_file_parse() - likewise the text of a file; @what: how @why is to call it. */
int checkpoint_file_parse(const char *what, const char *text, size_t n, struct checkpoint_file **ret,
			  struct errtext *why);

void checkpoint_file_destroy(struct checkpoint_file *f); /* NULL ok */
void checkpoint_file_destroyp(struct checkpoint_file **f);

/** checkpoint_file_relabel() - as if the records had been made with these maps. */
int checkpoint_file_relabel(struct checkpoint_file *f, const struct checkpoint_names *names);

/** checkpoint_file_find() - the record with that number; NULL: there is none. */
const struct checkpoint_entry *checkpoint_file_find(const struct checkpoint_file *f, uint64_t seq);

/** checkpoint_file_head() - the first record of the sequence or frame that ends with @e; @e if it ends none. */
const struct checkpoint_entry *checkpoint_file_head(const struct checkpoint_file *f, const struct checkpoint_entry *e);

/**
 * checkpoint_file_parts() - which entries say nothing more than a later one: the bytes of what it was put together
 * from. Returns: one for each entry, to be free()d; NULL: no memory.
 */
bool *checkpoint_file_parts(const struct checkpoint_file *f);

/* ---- forms in which it can be shown ---- */

/** checkpoint_table_add() - for people. @all: also the bytes that sequences and frames were put together from. */
void checkpoint_table_add(struct strbuf *out, const struct checkpoint_file *f, bool all);

/** checkpoint_table_add_last() - likewise the last @rows rows; times count from @since_ns. */
void checkpoint_table_add_last(struct strbuf *out, const struct checkpoint_file *f, uint64_t since_ns, size_t rows);

/** checkpoint_trace_add() - the trace format of Chrome, which Perfetto reads: what a vCPU wrote lasts until it writes
 *  again. */
void checkpoint_trace_add(struct strbuf *out, const struct checkpoint_file *f);

#endif

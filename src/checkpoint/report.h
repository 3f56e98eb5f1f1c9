/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_REPORT_H
#define CHECKPOINT_REPORT_H

#include "checkpoint/diff.h"
#include "checkpoint/file.h"

/* A boot, or two beside each other, as pictures. */
struct checkpoint_report {
	const struct checkpoint_file *file[2];
	const char *name[2]; /* of the files */
	unsigned n;
	const struct checkpoint_diff *diff; /* of both, if there are two */
};

/** checkpoint_report_html() - a page that needs nothing else. Text of the guest is data in it, never markup. */
void checkpoint_report_html(struct strbuf *out, const struct checkpoint_report *r);

/** checkpoint_report_svg() - a small picture: a row for each of the checkpoints that last longest. */
void checkpoint_report_svg(struct strbuf *out, const struct checkpoint_report *r);

/* The page around its data, from src/checkpoint/report/; strings. */
extern const char checkpoint_report_head[], checkpoint_report_tail[];

#endif

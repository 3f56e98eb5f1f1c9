/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CMD_OUTFILE_H
#define CMD_OUTFILE_H

#include "util/errtext.h"
#include "util/strbuf.h"

/*
 * A file that is written at the end, and is refused at the start. Who reads it while it is written sees the former one:
 * a regular file is replaced as a whole, also behind a link.
 */
struct outfile {
	const char *path; /* NULL: none is wanted */
	char *real;       /* what `path` leads to, if that is a regular file or there is none yet */
	char *temp;       /* becomes `real`; NULL: that is no regular file, and is written to directly */
	int fd;
};

/** outfile_open() - @path: NULL: none; must outlive it. Returns: 0; what open(2) returns, and @why. */
int outfile_open(struct outfile *f, const char *path, struct errtext *why);

/** outfile_put() - its whole content. Returns: 0, also if there is none; what write(2) and rename(2) return, and @why.
 */
int outfile_put(struct outfile *f, const struct strbuf *text, struct errtext *why);

/** outfile_close() - what was not put is forgotten. */
void outfile_close(struct outfile *f);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_ERRTEXT_H
#define UTIL_ERRTEXT_H

#include "util/macros.h"

/* One sentence for a person, filled by set-up calls next to their negative errno. */
struct errtext {
	char text[512];
};

/**
 * errtext_set() - fill @why (may be NULL) and return @err, so that a call site is one line:
 * `return errtext_set(why, -ENOENT, "no such kernel: %s", path);`
 * Shape: no newline at the end; names the value and what was expected.
 * Returns: @err as given.
 */
int errtext_set(struct errtext *why, int err, const char *fmt, ...) _printf_(3, 4);

#endif

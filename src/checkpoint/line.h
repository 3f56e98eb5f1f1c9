/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_LINE_H
#define CHECKPOINT_LINE_H

#include <stdbool.h>

/* The line that a guest is writing to its debug console, byte by byte. Start from all zero. */
enum { CHECKPOINT_DEBUGCON = 0x402, CHECKPOINT_LINE_MAX = 160 };

struct checkpoint_line {
	char text[CHECKPOINT_LINE_MAX + 1]; /* printable; bytes that are not became points */
	unsigned len;
};

/** checkpoint_line_add() - one more byte. Returns: text is a line now, until the next call. Empty lines are left out.
 */
bool checkpoint_line_add(struct checkpoint_line *l, char ch);

#endif

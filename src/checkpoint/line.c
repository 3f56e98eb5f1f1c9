/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/line.h"

bool checkpoint_line_add(struct checkpoint_line *l, char ch)
{
	if (ch == '\r')
		return false;
	if (ch != '\n')
		l->text[l->len++] = ch >= ' ' && ch <= '~' ? ch : '.';
	if (l->len == 0 || (ch != '\n' && l->len < CHECKPOINT_LINE_MAX))
		return false;
	l->text[l->len] = '\0';
	l->len = 0;
	return true;
}

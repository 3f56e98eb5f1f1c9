/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_CHECKPOINT_FILE_H
#define TESTS_UNIT_CHECKPOINT_FILE_H

#include "checkpoint/file.h"
#include "test.h"

/* The text of a file that is as it should be. */
static inline struct checkpoint_file *parse(const char *text)
{
	struct checkpoint_file *f = NULL;
	struct errtext why = { "" };

	if (checkpoint_file_parse("x.jsonl", text, strlen(text), &f, &why) < 0)
		fail_msg("%s", why.text);
	return f;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/format.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "util/cursor.h"

/* The end of the line that @p is in. */
static const char *line_end(const char *p)
{
	return strchrnul(p, '\n');
}

int trace_format_id(const char *text, uint64_t *ret)
{
	for (const char *p = text; *p; p = line_end(p) + (*line_end(p) != '\0')) {
		struct cur c = cur_init(p, (size_t)(line_end(p) - p));

		if (!cur_try_str(&c, "ID: "))
			continue;
		const uint64_t id = cur_dec(&c);
		if (!cur_done(&c))
			return -EPROTO;
		*ret = id;
		return 0;
	}
	return -EPROTO;
}

/* "; KEY:NUMBER" with any space between. */
static uint64_t take_number(struct cur *c, const char *key)
{
	cur_lit(c, ';');
	while (cur_try(c, '\t') || cur_try(c, ' '))
		;
	if (!cur_try_str(c, key))
		c->bad = true;
	return cur_dec(c);
}

/* Is the declaration that ends at @end one of @name? Types may have several words. */
static int declares(const char *from, const char *end, const char *name)
{
	const size_t n = strlen(name);

	return (size_t)(end - from) > n && memcmp(end - n, name, n) == 0 && isspace((unsigned char)end[-(long)n - 1]);
}

int trace_format_field(const char *text, const char *name, struct trace_field *ret)
{
	static const char key[] = "\tfield:";

	for (const char *p = text; *p; p = line_end(p) + (*line_end(p) != '\0')) {
		const char *end = line_end(p), *semicolon = memchr(p, ';', (size_t)(end - p));

		if (strncmp(p, key, strlen(key)) != 0 || !semicolon || !declares(p + strlen(key), semicolon, name))
			continue;
		struct cur c = cur_init(semicolon, (size_t)(end - semicolon));
		const uint64_t offset = take_number(&c, "offset:"), size = take_number(&c, "size:");

		if (c.bad || offset > 1024 || (size != 1 && size != 2 && size != 4 && size != 8))
			return -EPROTO;
		*ret = (struct trace_field){ .offset = (uint16_t)offset, .size = (uint16_t)size };
		return 0;
	}
	return -EPROTO;
}

uint64_t trace_field_get(const struct trace_field *f, const void *sample, size_t n)
{
	uint64_t v = 0;

	if ((size_t)f->offset + f->size <= n)
		memcpy(&v, (const char *)sample + f->offset,
		       f->size); // the kernel is of our own byte order, little-endian
	return v;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_FORMAT_H
#define TRACE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/* What the kernel says of a tracepoint, in its file `format`: its number, and where its fields are in a sample. */
struct trace_field {
	uint16_t offset, size; /* bytes; size is 1, 2, 4 or 8 */
};

/** trace_format_id() - the tracepoint's number, from the text of its file. Returns: 0; -EPROTO: it is not there. */
int trace_format_id(const char *text, uint64_t *ret);

/** trace_format_field() - where the number called @name is. Returns: 0; -EPROTO: it is not there, or is no number. */
int trace_format_field(const char *text, const char *name, struct trace_field *ret);

/** trace_field_get() - its value in a sample of @n bytes; 0 if the sample ends before it. */
uint64_t trace_field_get(const struct trace_field *f, const void *sample, size_t n);

#endif

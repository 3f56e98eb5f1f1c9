/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARM64_FIELDS_H
#define ARCH_ARM64_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"
#include "util/strbuf.h"

/*
 * A register as a table of its fields. What a value means is said by `words`, by index, or by `text`; a value with no
 * word is reserved.
 */
struct arm64_field {
	const char *name;
	uint8_t hi, lo, nwords;
	bool rare; /* shown only when it is not zero: it belongs to a feature that few machines have */
	const char *const *words;
	void (*text)(uint64_t reg, uint64_t value, struct strbuf *out);
	bool (*shown)(uint64_t reg); /* NULL: always. The bits of a field that is not shown may belong to another. */
};

// clang-format off
#define ARM64_WORDS(...) .words = (const char *const[]){ __VA_ARGS__ }, .nwords = ARRAY_LEN(((const char *const[]){ __VA_ARGS__ }))
// clang-format on

/** arm64_bits() - the field of @reg from bit @hi down to bit @lo. */
static inline uint64_t arm64_bits(uint64_t reg, unsigned hi, unsigned lo)
{
	return reg >> lo & (~0ull >> (63 - (hi - lo)));
}

/** arm64_field_line() - one aligned line: name, bits, value. The caller appends words to @out, and the line's end. */
void arm64_field_line(const char *name, unsigned hi, unsigned lo, uint64_t reg, struct strbuf *out);

/** arm64_line_end() - end the line, without blanks at its end. */
void arm64_line_end(struct strbuf *out);

/**
 * arm64_fields_text() - one line for each field of @reg that is shown, most significant bits of the table first.
 * Returns: the bits of @reg that these lines cover.
 */
uint64_t arm64_fields_text(const struct arm64_field *f, unsigned n, uint64_t reg, struct strbuf *out);

/** arm64_rest_text() - a line that names the bits of @rest, set though no field has them; nothing if there is none. */
void arm64_rest_text(uint64_t rest, struct strbuf *out);

#endif

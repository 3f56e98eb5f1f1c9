/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_fields.h"

#include <inttypes.h>
#include <stdio.h>

void arm64_field_line(const char *name, unsigned hi, unsigned lo, uint64_t reg, struct strbuf *out)
{
	uint64_t value = arm64_bits(reg, hi, lo);
	char bits[16];

	snprintf(bits, sizeof(bits), hi == lo ? "%u" : "%u:%u", hi, lo);
	strbuf_addf(out, hi == lo ? "  %-12s %-5s  %-9" PRIu64 " " : "  %-12s %-5s  0x%-7" PRIx64 " ", name, bits,
		    value);
}

void arm64_line_end(struct strbuf *out)
{
	while (out->len && !out->oom && out->s[out->len - 1] == ' ')
		out->s[--out->len] = '\0';
	strbuf_addc(out, '\n');
}

static void field_text(const struct arm64_field *f, uint64_t reg, struct strbuf *out)
{
	uint64_t value = arm64_bits(reg, f->hi, f->lo);

	arm64_field_line(f->name, f->hi, f->lo, reg, out);
	if (f->text)
		f->text(reg, value, out);
	else if (f->words)
		strbuf_adds(out, value < f->nwords && f->words[value] ? f->words[value] : "reserved");
	arm64_line_end(out);
}

uint64_t arm64_fields_text(const struct arm64_field *f, unsigned n, uint64_t reg, struct strbuf *out)
{
	uint64_t covered = 0;

	for (unsigned i = 0; i < n; i++) {
		if (f[i].shown && !f[i].shown(reg))
			continue;
		covered |= arm64_bits(~0ull, f[i].hi - f[i].lo, 0) << f[i].lo;
		if (!f[i].rare || arm64_bits(reg, f[i].hi, f[i].lo))
			field_text(&f[i], reg, out);
	}
	return covered;
}

void arm64_rest_text(uint64_t rest, struct strbuf *out)
{
	if (rest)
		strbuf_addf(out, "  other bits set, of no field known here: %#" PRIx64 "\n", rest);
}

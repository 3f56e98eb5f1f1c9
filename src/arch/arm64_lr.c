/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GIC architecture specification (IHI 0069), "ICH_LR<n>_EL2, Interrupt Controller List Registers" and, for which of
 * them is free, "ICH_ELRSR_EL2"; GICv2 specification (IHI 0048), "List Registers, GICH_LRn".
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "arch/arm64_decode.h"
#include "arch/arm64_fields.h"

enum state { INVALID, PENDING, ACTIVE, PENDING_ACTIVE };
static const char *const state_text[] = { "invalid", "pending", "active", "pending+active" };

struct lr {
	enum state state;
	bool hw, group1, eoi, nmi;
	unsigned priority;
	uint32_t vintid, pintid; /* pintid: only with hw */
	int sgi_cpu;             /* GICv2, without hw: the vCPU that sent the SGI */
	uint64_t reserved;
};

static struct lr decode_v3(uint64_t v)
{
	struct lr lr = {
		.state = (enum state)arm64_bits(v, 63, 62),
		.hw = arm64_bits(v, 61, 61),
		.group1 = arm64_bits(v, 60, 60),
		.nmi = arm64_bits(v, 59, 59),
		.priority = (unsigned)arm64_bits(v, 55, 48),
		.vintid = (uint32_t)arm64_bits(v, 31, 0),
		.sgi_cpu = -1,
		.reserved = v & (7ull << 56 | 7ull << 45),
	};

	if (lr.hw) {
		lr.pintid = (uint32_t)arm64_bits(v, 44, 32);
	} else {
		lr.eoi = arm64_bits(v, 41, 41);
		lr.reserved |= v & (0x1fffull << 32 & ~BIT64(41));
	}
	return lr;
}

static struct lr decode_v2(uint64_t v)
{
	struct lr lr = {
		.state = (enum state)arm64_bits(v, 29, 28),
		.hw = arm64_bits(v, 31, 31),
		.group1 = arm64_bits(v, 30, 30),
		.priority = (unsigned)arm64_bits(v, 27, 23) << 3,
		.vintid = (uint32_t)arm64_bits(v, 9, 0),
		.sgi_cpu = -1,
		.reserved = v & ~0xffffffffull,
	};

	lr.reserved |= v & 7ull << 20;
	if (lr.hw) {
		lr.pintid = (uint32_t)arm64_bits(v, 19, 10);
		return lr;
	}
	lr.eoi = arm64_bits(v, 19, 19);
	lr.reserved |= v & 0x3full << 13;
	if (lr.vintid < 16)
		lr.sgi_cpu = (int)arm64_bits(v, 12, 10);
	else
		lr.reserved |= v & 7ull << 10;
	return lr;
}

/* INTIDs, "INTIDs" of the specification: "27 (PPI 11)". */
static void intid_text(uint32_t id, char *text, size_t size)
{
	static const struct {
		uint32_t first, last, base;
		const char *kind;
	} kinds[] = { { 0, 15, 0, "SGI" },          { 16, 31, 16, "PPI" },        { 32, 1019, 32, "SPI" },
		      { 1056, 1119, 1056, "EPPI" }, { 4096, 5119, 4096, "ESPI" }, { 8192, UINT32_MAX, 8192, "LPI" } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (id >= kinds[i].first && id <= kinds[i].last) {
			snprintf(text, size, "%" PRIu32 " (%s %" PRIu32 ")", id, kinds[i].kind, id - kinds[i].base);
			return;
		}
	snprintf(text, size, "%" PRIu32 " (%s)", id, id >= 1020 && id <= 1023 ? "special" : "reserved");
}

/* Not to be used for another interrupt yet: its maintenance interrupt is still to be handled. */
static bool eoi_pending(const struct lr *lr)
{
	return lr->state == INVALID && !lr->hw && lr->eoi;
}

/* One of the notes at the end of a row. */
_printf_(3, 4) static void add_note(struct strbuf *out, const char **sep, const char *fmt, ...)
{
	va_list ap;

	strbuf_adds(out, *sep);
	va_start(ap, fmt);
	strbuf_addfv(out, fmt, ap);
	va_end(ap);
	*sep = ", ";
}

static void add_notes(const struct lr *lr, struct strbuf *out)
{
	const char *sep = " ";

	if (lr->nmi)
		add_note(out, &sep, "non-maskable");
	if (lr->sgi_cpu >= 0 && lr->state != INVALID)
		add_note(out, &sep, "from CPU %d", lr->sgi_cpu);
	if (eoi_pending(lr))
		add_note(out, &sep, "EOI maintenance interrupt is due");
	else if (lr->eoi)
		add_note(out, &sep, "EOI maintenance interrupt");
	if (lr->reserved)
		add_note(out, &sep, "reserved bits %#" PRIx64, lr->reserved);
}

static void row(unsigned n, const struct lr *lr, struct strbuf *out)
{
	char vintid[32] = "-", pintid[32] = "-";

	if (lr->state != INVALID || lr->vintid)
		intid_text(lr->vintid, vintid, sizeof(vintid));
	if (lr->hw)
		intid_text(lr->pintid, pintid, sizeof(pintid));
	strbuf_addf(out, "%-3u %-14s  %u   %u      0x%02x      %-18s %-18s", n, state_text[lr->state], lr->hw,
		    lr->group1, lr->priority, vintid, pintid);
	add_notes(lr, out);
	arm64_line_end(out);
}

void arm64_lr_text(const uint64_t *lr, unsigned n, bool gicv2, struct strbuf *out)
{
	unsigned used = 0, due = 0;

	strbuf_adds(out, "LR  state           HW  group  priority  vINTID             pINTID\n");
	for (unsigned i = 0; i < n; i++) {
		struct lr d = gicv2 ? decode_v2(lr[i]) : decode_v3(lr[i]);

		used += d.state != INVALID;
		due += eoi_pending(&d);
		row(i, &d, out);
	}
	if (n && used == n) {
		strbuf_adds(out, "all list registers full\n");
		return;
	}
	strbuf_addf(out, "%u of %u list registers free", n - used - due, n);
	if (due)
		strbuf_addf(out, ", %u not yet: EOI maintenance interrupt due", due);
	strbuf_addc(out, '\n');
}

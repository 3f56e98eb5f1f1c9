/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>

#include "arch/arch.h"
#include "arch/xml_types.h"
#include "util/macros.h"

/* ---- vectors: the fields of GDB's own descriptions, so that $v0.d.f or $z0.b.u mean the same everywhere ---- */

struct lane {
	const char *name;
	unsigned bytes;
	const char *type[3]; /* as kinds[]; NULL: none of that size */
};
static const struct lane lanes[] = {
	{ "d", 8, { "ieee_double", "uint64", "int64" } }, { "s", 4, { "ieee_single", "uint32", "int32" } },
	{ "h", 2, { "ieee_half", "uint16", "int16" } },   { "b", 1, { NULL, "uint8", "int8" } },
	{ "q", 16, { NULL, "uint128", "int128" } },
};
static const char kinds[3] = { 'f', 'u', 's' };

static void add_lane(struct strbuf *out, const char *id, const struct lane *l, unsigned bytes)
{
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (l->type[i])
			strbuf_addf(out, "<vector id=\"%s_%s%c\" type=\"%s\" count=\"%u\"/>\n", id, l->name, kinds[i],
				    l->type[i], bytes / l->bytes);
	strbuf_addf(out, "<union id=\"%s_%s\">\n", id, l->name);
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (l->type[i])
			strbuf_addf(out, "<field name=\"%c\" type=\"%s_%s%c\"/>\n", kinds[i], id, l->name, kinds[i]);
	strbuf_adds(out, "</union>\n");
}

void arm64_add_vector(struct strbuf *out, const char *id, unsigned bytes)
{
	for (unsigned i = 0; i < ARRAY_LEN(lanes); i++)
		add_lane(out, id, &lanes[i], bytes);
	strbuf_addf(out, "<union id=\"%s\">\n", id);
	for (unsigned i = 0; i < ARRAY_LEN(lanes); i++)
		strbuf_addf(out, "<field name=\"%s\" type=\"%s_%s\"/>\n", lanes[i].name, id, lanes[i].name);
	strbuf_adds(out, "</union>\n");
}

void arm64_add_predicate(struct strbuf *out, const char *id, unsigned bytes)
{
	strbuf_addf(out, "<vector id=\"%s\" type=\"uint8\" count=\"%u\"/>\n", id, bytes);
}

/* ---- flags ---- */

// clang-format off
/* Also SPSR_ELx. */
const struct flag arm64_cpsr[] = {
	F("SP", 0), { "EL", 2, 3 }, F("nRW", 4), F("F", 6), F("I", 7), F("A", 8), F("D", 9), { "BTYPE", 10, 11 },
	F("SSBS", 12), F("ALLINT", 13), F("IL", 20), F("SS", 21), F("PAN", 22), F("UAO", 23), F("DIT", 24),
	F("TCO", 25), F("V", 28), F("C", 29), F("Z", 30), F("N", 31), END
};

const struct flag arm64_fpsr[] = {
	F("IOC", 0), F("DZC", 1), F("OFC", 2), F("UFC", 3), F("IXC", 4), F("IDC", 7), F("QC", 27), F("V", 28),
	F("C", 29), F("Z", 30), F("N", 31), END
};

const struct flag arm64_fpcr[] = {
	F("FIZ", 0), F("AH", 1), F("NEP", 2), F("IOE", 8), F("DZE", 9), F("OFE", 10), F("UFE", 11), F("IXE", 12),
	F("EBF", 13), F("IDE", 15), { "LEN", 16, 18 }, F("FZ16", 19), { "STRIDE", 20, 21 }, { "RMODE", 22, 23 },
	F("FZ", 24), F("DN", 25), F("AHP", 26), END
};

const struct flag arm64_sctlr[] = {
	F("M", 0), F("A", 1), F("C", 2), F("SA", 3), F("SA0", 4), F("CP15BEN", 5), F("nAA", 6), F("ITD", 7),
	F("SED", 8), F("UMA", 9), F("EnRCTX", 10), F("EOS", 11), F("I", 12), F("EnDB", 13), F("DZE", 14),
	F("UCT", 15), F("nTWI", 16), F("nTWE", 18), F("WXN", 19), F("TSCXT", 20), F("IESB", 21), F("EIS", 22),
	F("SPAN", 23), F("E0E", 24), F("EE", 25), F("UCI", 26), F("EnDA", 27), F("nTLSMD", 28), F("LSMAOE", 29),
	F("EnIB", 30), F("EnIA", 31), F("CMOW", 32), F("MSCEn", 33), F("BT0", 35), F("BT1", 36), F("ITFSB", 37),
	{ "TCF0", 38, 39 }, { "TCF", 40, 41 }, F("ATA0", 42), F("ATA", 43), F("DSSBS", 44), F("EPAN", 57), END
};

const struct flag arm64_tcr[] = {
	{ "T0SZ", 0, 5 }, F("EPD0", 7), { "IRGN0", 8, 9 }, { "ORGN0", 10, 11 }, { "SH0", 12, 13 }, { "TG0", 14, 15 },
	{ "T1SZ", 16, 21 }, F("A1", 22), F("EPD1", 23), { "IRGN1", 24, 25 }, { "ORGN1", 26, 27 }, { "SH1", 28, 29 },
	{ "TG1", 30, 31 }, { "IPS", 32, 34 }, F("AS", 36), F("TBI0", 37), F("TBI1", 38), F("HA", 39), F("HD", 40),
	F("HPD0", 41), F("HPD1", 42), F("TBID0", 51), F("TBID1", 52), F("NFD0", 53), F("NFD1", 54), F("E0PD0", 55),
	F("E0PD1", 56), F("TCMA0", 57), F("TCMA1", 58), F("DS", 59), END
};

const struct flag arm64_ttbr[] = { F("CnP", 0), { "BADDR", 1, 47 }, { "ASID", 48, 63 }, END };
const struct flag arm64_vttbr[] = { F("CnP", 0), { "BADDR", 1, 47 }, { "VMID", 48, 63 }, END };
const struct flag arm64_esr[] = { { "ISS", 0, 24 }, F("IL", 25), { "EC", 26, 31 }, { "ISS2", 32, 55 }, END };

const struct flag arm64_mdscr[] = {
	F("SS", 0), F("ERR", 6), F("TDCC", 12), F("KDE", 13), F("HDE", 14), F("MDE", 15), F("TDA", 21),
	{ "INTdis", 22, 23 }, F("TXU", 26), F("RXO", 27), F("TXfull", 29), F("RXfull", 30), F("TFO", 31), END
};

const struct flag arm64_hcr[] = {
	F("VM", 0), F("SWIO", 1), F("PTW", 2), F("FMO", 3), F("IMO", 4), F("AMO", 5), F("VF", 6), F("VI", 7),
	F("VSE", 8), F("FB", 9), { "BSU", 10, 11 }, F("DC", 12), F("TWI", 13), F("TWE", 14), F("TID0", 15),
	F("TID1", 16), F("TID2", 17), F("TID3", 18), F("TSC", 19), F("TIDCP", 20), F("TACR", 21), F("TSW", 22),
	F("TPCP", 23), F("TPU", 24), F("TTLB", 25), F("TVM", 26), F("TGE", 27), F("TDZ", 28), F("HCD", 29),
	F("TRVM", 30), F("RW", 31), F("CD", 32), F("ID", 33), F("E2H", 34), F("TLOR", 35), F("TERR", 36),
	F("TEA", 37), F("MIOCNCE", 38), F("TME", 39), F("APK", 40), F("API", 41), F("NV", 42), F("NV1", 43),
	F("AT", 44), F("NV2", 45), F("FWB", 46), F("FIEN", 47), F("TID4", 49), F("TICAB", 50), F("AMVOFFEN", 51),
	F("TOCU", 52), F("EnSCXT", 53), F("TTLBIS", 54), F("TTLBOS", 55), F("ATA", 56), F("DCT", 57), F("TID5", 58),
	F("TWEDEn", 59), { "TWEDEL", 60, 63 }, END
};

const struct flag arm64_vtcr[] = {
	{ "T0SZ", 0, 5 }, { "SL0", 6, 7 }, { "IRGN0", 8, 9 }, { "ORGN0", 10, 11 }, { "SH0", 12, 13 },
	{ "TG0", 14, 15 }, { "PS", 16, 18 }, F("VS", 19), F("HA", 21), F("HD", 22), F("NSW", 29), F("NSA", 30),
	F("DS", 32), F("SL2", 33), END
};
// clang-format on

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_XML_TYPES_H
#define ARCH_XML_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/strbuf.h"

/* Inside the room: the types that a target description has to define itself. */

struct flag {
	const char *name; /* "": the bit is not shown */
	uint8_t start, end;
};
#define F(name, bit)           \
	{                      \
		name, bit, bit \
	}
#define END                \
	{                  \
		NULL, 0, 0 \
	}

/* A type of the target description: flags, ready XML, or XML that depends on the size. All NULL: GDB knows `id`. */
struct xml_type {
	const char *id;
	const struct flag *flags; /* ends with a NULL name */
	const char *xml;
	void (*add)(struct strbuf *out, const char *id, unsigned bytes);
	bool vector; /* LLDB, which does not look into types, has to be told */
};

/** arm64_add_vector(), arm64_add_predicate() - the types of V and Z, and of P registers of that size. */
void arm64_add_vector(struct strbuf *out, const char *id, unsigned bytes);
void arm64_add_predicate(struct strbuf *out, const char *id, unsigned bytes);

/* Bits of arm64's registers, named as in the Arm ARM; each ends with a NULL name. */
extern const struct flag arm64_cpsr[], arm64_fpsr[], arm64_fpcr[], arm64_sctlr[], arm64_tcr[], arm64_ttbr[],
	arm64_esr[], arm64_mdscr[], arm64_hcr[], arm64_vtcr[], arm64_vttbr[];

/** arch_xml_types - by enum reg_type; the id of REG_INT and REG_UINT is only a stem: the width follows. */
extern const struct xml_type arch_xml_types[];

#endif

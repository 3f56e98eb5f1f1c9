/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_XML_TYPES_H
#define ARCH_XML_TYPES_H

#include <stdint.h>

/* Inside the room: the types that a target description has to define itself. */

struct flag {
	const char *name; /* "": the bit is not shown */
	uint8_t start, end;
};

/* A type of the target description: flags, or ready XML. Both NULL: GDB knows `id`. */
struct xml_type {
	const char *id;
	const struct flag *flags; /* ends with a NULL name */
	const char *xml;
};

/** arch_xml_types - by enum reg_type; the id of REG_INT and REG_UINT is only a stem: the width follows. */
extern const struct xml_type arch_xml_types[];

#endif

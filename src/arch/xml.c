/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arch.h"

#include <string.h>

#include "arch/xml_types.h"
#include "util/macros.h"

static void add_type_name(struct strbuf *out, const struct reg_desc *d)
{
	strbuf_adds(out, arch_xml_types[d->type].id);
	if (d->type == REG_INT || d->type == REG_UINT)
		strbuf_addf(out, "%u", d->bits);
}

static void add_flags(struct strbuf *out, const struct xml_type *t, unsigned bytes)
{
	strbuf_addf(out, "<flags id=\"%s\" size=\"%u\">\n", t->id, bytes);
	for (const struct flag *f = t->flags; f->name; f++)
		strbuf_addf(out, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", f->name, f->start, f->end);
	strbuf_adds(out, "</flags>\n");
}

/* GDB looks types up per feature, so each feature defines the ones its rows use. */
static void add_types(struct strbuf *out, const struct arch_layout *l, unsigned feature)
{
	uint64_t done = 0;

	for (const struct reg_desc *d = l->regs; d < l->regs + l->nregs; d++) {
		const struct xml_type *t = &arch_xml_types[d->type];

		if (d->feature != feature || (done & BIT64(d->type)))
			continue;
		done |= BIT64(d->type);
		if (t->flags)
			add_flags(out, t, d->bits / 8);
		else if (t->xml)
			strbuf_adds(out, t->xml);
		else if (t->add)
			t->add(out, t->id, d->bits / 8);
	}
}

static void add_reg(struct strbuf *out, const struct arch_layout *l, unsigned num)
{
	const struct reg_desc *d = &l->regs[num];

	strbuf_addf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"", d->name, d->bits);
	add_type_name(out, d);
	strbuf_addf(out, "\" regnum=\"%u\" group=\"%s\"", num, d->gdb_group);
	if (arch_xml_types[d->type].vector)
		strbuf_adds(out, " encoding=\"vector\" format=\"vector-uint8\"");
	if (arch_reg_volatile(l, num))
		strbuf_adds(out, " save-restore=\"no\"");
	strbuf_adds(out, "/>\n");
}

static void add_feature(struct strbuf *out, const struct arch_layout *l, unsigned feature)
{
	strbuf_addf(out, "<feature name=\"%s\">\n", l->features[feature]);
	add_types(out, l, feature);
	for (unsigned i = 0; i < l->nregs; i++)
		if (l->regs[i].feature == feature)
			add_reg(out, l, i);
	strbuf_adds(out, "</feature>\n");
}

void arch_target_xml(const struct arch_layout *l, struct strbuf *out)
{
	strbuf_adds(out,
		    "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n");
	strbuf_addf(out, "<architecture>%s</architecture>\n", l->gdb_name);
	if (l->osabi)
		strbuf_addf(out, "<osabi>%s</osabi>\n", l->osabi);
	for (const char *const *name = l->compatible; name && *name; name++)
		strbuf_addf(out, "<compatible>%s</compatible>\n", *name);
	for (unsigned i = 0; i < l->nfeatures; i++)
		add_feature(out, l, i);
	if (l->parts)
		strbuf_adds(out, l->parts);
	strbuf_adds(out, "</target>\n");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For check_tdesc.py: the target description of one layout, or its rows as "number name size g-offset". */
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "util/macros.h"

static const struct arch_layout *find(const char *name)
{
	static const struct arch_layout *const all[] = { &arch_layout_x86_64, &arch_layout_i386, &arch_layout_i8086 };
	const bool any = !strncmp(name, "any-", 4);
	unsigned vl;
	char el2[4];

	if (!strcmp(name, "aarch64"))
		return arch_layout_arm64(0, false);
	switch (sscanf(name, "aarch64-sve%u-%3s", &vl, el2)) {
	case 1:
		return arch_layout_arm64(vl, false);
	case 2:
		return arch_layout_arm64(vl, true);
	}
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i]->gdb_name, any ? name + 4 : name))
			return any ? all[i]->any : all[i];
	return NULL;
}

static int print_rows(const struct arch_layout *l)
{
	size_t offset = 0;

	for (unsigned i = 0; i < l->nregs; i++) {
		printf("%u %s %u %zu\n", i, l->regs[i].name, arch_reg_size(l, i), offset);
		offset += arch_reg_size(l, i);
	}
	return 0;
}

static int print_xml(const struct arch_layout *l)
{
	_cleanup_(strbuf_deinit) struct strbuf xml = { 0 };

	arch_target_xml(l, &xml);
	fputs(strbuf_str(&xml), stdout);
	return xml.oom;
}

int main(int argc, char **argv)
{
	const struct arch_layout *l = argc == 3 ? find(argv[2]) : NULL;

	if (l && l->gdb)
		l = l->gdb;

	if (l && !strcmp(argv[1], "rows"))
		return print_rows(l);
	if (l && !strcmp(argv[1], "xml"))
		return print_xml(l);
	fprintf(stderr, "usage: print_tdesc xml|rows [any-]i386:x86-64|i386|i8086|aarch64[-sveBYTES[-el2]]\n");
	return 2;
}

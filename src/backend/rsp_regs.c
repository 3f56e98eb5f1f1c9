/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/rsp_regs.h"

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cursor.h"
#include "util/macros.h"

/* ---- the map ---- */

struct rsp_field rsp_field(const struct rsp_regmap *m, unsigned i)
{
	struct rsp_field f;

	m->machine->field(i, &f);
	return f;
}

const void *rsp_field_at(const struct rsp_regmap *m, const struct rsp_field *f, const struct arch_regs *r)
{
	size_t off = f->off;

	if (m->machine->place && !m->machine->place(f, r, &off))
		return NULL;
	return (const uint8_t *)r + off;
}

bool rsp_field_differs(const struct rsp_regmap *m, const struct rsp_field *f, const struct arch_regs *a,
		       const struct arch_regs *b)
{
	const void *in_a = rsp_field_at(m, f, a), *in_b = rsp_field_at(m, f, b);

	return in_a && in_b && memcmp(in_a, in_b, f->size) != 0;
}

static void map_reset(struct rsp_regmap *m, const struct rsp_machine *machine)
{
	memset(m, 0, sizeof(*m));
	memset(m->by_field, 0xff, sizeof(m->by_field));
	m->machine = machine;
}

/* Is @found what a server may call a register whose name is @name? */
static bool name_fits(const struct rsp_machine *machine, const char *name, const char *found)
{
	size_t n = strlen(found);

	if (!name || strncmp(name, found, n) != 0)
		return false;
	return name[n] == '\0' || (machine->suffix && strcmp(name + n, machine->suffix) == 0);
}

static int field_find(const struct rsp_regmap *m, const char *name)
{
	for (unsigned i = 0; i < m->machine->nfields; i++) {
		struct rsp_field f = rsp_field(m, i);

		if (m->by_field[i] < 0 && name_fits(m->machine, f.name, name))
			return (int)i;
	}
	return -1;
}

static int map_add(struct rsp_regmap *m, unsigned num, unsigned size)
{
	if (num >= RSP_MAX_REGS || size == 0 || size > RSP_REG_MAX || m->reg[num].size)
		return -EPROTO;
	m->reg[num].size = (uint16_t)size;
	m->reg[num].field = -1;
	m->nregs = MAX(m->nregs, num + 1);
	return 0;
}

static void map_name(struct rsp_regmap *m, unsigned num, const char *name)
{
	int field = field_find(m, name);

	m->reg[num].field = (int16_t)field;
	if (field >= 0)
		m->by_field[field] = (int16_t)num;
}

/* Places in the g packet, and the groups that are whole, or for which that does not matter and that are not empty. */
static void map_finish(struct rsp_regmap *m)
{
	uint32_t off = 0, lacking = 0, some = 0;

	for (unsigned i = 0; i < m->nregs; i++) {
		m->reg[i].off = off;
		off += m->reg[i].size;
	}
	for (unsigned i = 0; i < m->machine->nfields; i++) {
		struct rsp_field f = rsp_field(m, i);

		if (m->by_field[i] >= 0)
			some |= f.group;
		else if (f.name && !f.optional)
			lacking |= f.group;
	}
	m->groups = (some & ~(lacking & m->machine->whole)) | m->machine->always;
}

void rsp_regmap_plain(struct rsp_regmap *m)
{
	const struct rsp_machine *machine = &rsp_machine_x86;

	map_reset(m, machine);
	for (unsigned i = 0; i < machine->nplain; i++) {
		map_add(m, i, machine->plain[i].size);
		map_name(m, i, machine->plain[i].name);
	}
	map_finish(m);
}

/* ---- the target description ---- */

enum { MAX_DEPTH = 4, MAX_NAME = 32 };

struct learner {
	struct rsp_regmap *map;
	char (*names)[MAX_NAME]; /* of the registers, by number */
	rsp_annex_fn *fetch;
	void *arg;
	struct errtext *why;
	XML_Parser parser;
	unsigned next, depth; /* number of the next register that names none; annexes being read */
	int rc;
};

static int annex_read(struct learner *l, const char *annex);

static const char *attribute(const XML_Char **atts, const char *name)
{
	for (; *atts; atts += 2) {
		if (strcmp(atts[0], name) == 0)
			return atts[1];
	}
	return NULL;
}

/* A decimal attribute; @dflt if it is not there, -1 if it is not a number. */
static long number(const char *s, long dflt)
{
	struct cur c;
	uint64_t v;

	if (!s)
		return dflt;
	c = cur_init(s, strlen(s));
	v = cur_dec(&c);
	return cur_done(&c) && v <= 65536 ? (long)v : -1;
}

static int reg_element(struct learner *l, const XML_Char **atts)
{
	const char *name = attribute(atts, "name");
	long bits = number(attribute(atts, "bitsize"), -1), num = number(attribute(atts, "regnum"), l->next);

	if (!name || bits <= 0 || num < 0 || map_add(l->map, (unsigned)num, (unsigned)(bits + 7) / 8) < 0)
		return errtext_set(l->why, -EPROTO, "the target description has an impossible register %s",
				   name ? name : "without a name");
	snprintf(l->names[num], MAX_NAME, "%s", name);
	l->next = (unsigned)num + 1;
	return 0;
}

static void XMLCALL element(void *arg, const XML_Char *tag, const XML_Char **atts)
{
	struct learner *l = arg;
	const char *href;

	if (l->rc < 0)
		return;
	if (strcmp(tag, "reg") == 0) {
		l->rc = reg_element(l, atts);
	} else if (strcmp(tag, "xi:include") == 0) {
		href = attribute(atts, "href");
		l->rc = href ? annex_read(l, href) : 0;
	}
	if (l->rc < 0)
		XML_StopParser(l->parser, XML_FALSE);
}

/* Includes are read where they stand, because registers are numbered in document order. */
static int annex_read(struct learner *l, const char *annex)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	XML_Parser outer = l->parser;
	enum XML_Status ok;
	int rc;

	if (l->depth == MAX_DEPTH)
		return errtext_set(l->why, -EPROTO, "the target description includes itself");
	rc = l->fetch(l->arg, annex, &text);
	if (rc < 0)
		return errtext_set(l->why, rc, "the debug server did not give its target description %s", annex);
	l->parser = XML_ParserCreate(NULL);
	if (!l->parser) {
		l->parser = outer;
		return -ENOMEM;
	}
	l->depth++;
	XML_SetUserData(l->parser, l);
	XML_SetStartElementHandler(l->parser, element);
	ok = XML_Parse(l->parser, strbuf_str(&text), (int)text.len, XML_TRUE);
	if (ok != XML_STATUS_OK && l->rc == 0)
		l->rc = errtext_set(l->why, -EPROTO, "the target description %s is no XML: %s", annex,
				    XML_ErrorString(XML_GetErrorCode(l->parser)));
	XML_ParserFree(l->parser);
	l->parser = outer;
	l->depth--;
	return l->rc;
}

/* Whose registers are these? The names tell, also of a server that does not say what it debugs. */
static int machine_find(struct rsp_regmap *m, char (*names)[MAX_NAME])
{
	static const struct rsp_machine *const machines[] = { &rsp_machine_x86, &rsp_machine_arm64 };
	struct rsp_regmap as;

	for (unsigned i = 0; i < ARRAY_LEN(machines); i++) {
		as = *m;
		as.machine = machines[i];
		for (unsigned num = 0; num < m->nregs; num++)
			if (m->reg[num].size)
				map_name(&as, num, names[num]);
		map_finish(&as);
		if (as.groups & ARCH_CORE) {
			*m = as;
			return 0;
		}
	}
	return -ENOENT;
}

int rsp_regmap_learn(struct rsp_regmap *m, rsp_annex_fn *fetch, void *arg, struct errtext *why)
{
	_cleanup_(freep) void *names = calloc(RSP_MAX_REGS, MAX_NAME);
	struct learner l = { .map = m, .names = names, .fetch = fetch, .arg = arg, .why = why };
	int rc;

	if (!names)
		return -ENOMEM;
	map_reset(m, NULL);
	rc = annex_read(&l, "target.xml");
	if (rc == 0 && machine_find(m, names) < 0)
		rc = errtext_set(
			why, -EPROTO,
			"the debug server's target description has the core registers of neither x86-64 nor arm64");
	return rc;
}

/* ---- values ---- */

/* One register's bytes; 1: the server does not know them ("xx"). */
static int value_decode(const uint8_t *hex, size_t size, uint8_t *out)
{
	for (size_t i = 0; i < size; i++) {
		int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

		if (hex[2 * i] == 'x' && hex[2 * i + 1] == 'x')
			return 1;
		if (hi < 0 || lo < 0)
			return -EPROTO;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static int reg_take(const struct rsp_regmap *m, unsigned num, const uint8_t *hex, struct arch_regs *r)
{
	const struct rsp_field f = rsp_field(m, (unsigned)m->reg[num].field);
	uint8_t buf[RSP_REG_MAX] = { 0 }, *to;
	const void *at;
	int rc = value_decode(hex, m->reg[num].size, buf);

	if (rc)
		return rc;
	at = rsp_field_at(m, &f, r);
	if (!at)
		return 0;
	to = (uint8_t *)r + ((const uint8_t *)at - (const uint8_t *)r);
	memset(to, 0, f.size);
	memcpy(to, buf, MIN(f.size, m->reg[num].size));
	m->machine->found(&f, m->reg[num].size, r);
	return 0;
}

bool rsp_reg_is_behind(const struct rsp_regmap *m, unsigned num, size_t n)
{
	return 2ull * m->reg[num].off >= n;
}

/* Is register @num a field of a group that counts? */
static bool reg_counts(const struct rsp_regmap *m, unsigned num, uint32_t *group)
{
	if (!m->reg[num].size || m->reg[num].field < 0)
		return false;
	*group = rsp_field(m, (unsigned)m->reg[num].field).group;
	return m->groups & *group;
}

int rsp_regs_decode(const struct rsp_regmap *m, const uint8_t *hex, size_t n, struct arch_regs *r, uint32_t *more)
{
	struct arch_regs got = *r;
	uint32_t groups = m->groups, behind = 0, group;

	// In the order of fields, not of numbers: some say what others mean.
	for (unsigned i = 0; i < m->machine->nfields; i++) {
		const int num = m->by_field[i];
		int rc;

		if (num < 0 || !reg_counts(m, (unsigned)num, &group))
			continue;
		if (rsp_reg_is_behind(m, (unsigned)num, n)) {
			behind |= group;
			continue;
		}
		if (2ull * (m->reg[num].off + m->reg[num].size) > n)
			return -EPROTO;
		rc = reg_take(m, (unsigned)num, hex + 2ull * m->reg[num].off, &got);
		if (rc < 0)
			return rc;
		if (rc > 0)
			groups &= ~group;
	}
	got.have |= groups;
	*r = got;
	*more = behind;
	return 0;
}

int rsp_reg_decode(const struct rsp_regmap *m, unsigned num, const uint8_t *hex, size_t n, struct arch_regs *r)
{
	return n == 2ull * m->reg[num].size ? reg_take(m, num, hex, r) : -EPROTO;
}

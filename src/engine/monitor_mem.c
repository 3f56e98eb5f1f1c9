/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/bytes.h"
#include "util/cursor.h"
#include "util/macros.h"

/* One answer of `info mem` is bounded, whatever the guest's page tables look like. */
#define PAGES_MAX_WALKS (1u << 20) /* arm64's Linux maps all memory page by page */
#define PAGES_MAX_RUNS 1000u
#define TLB_MAX_PAGES 65536u
#define XP_MAX_BYTES 65536u

/* r w x u, with - for what is not allowed */
static void add_perm(uint8_t perm, struct strbuf *out)
{
	strbuf_addf(out, "%c%c%c%c", perm & MMU_R ? 'r' : '-', perm & MMU_W ? 'w' : '-', perm & MMU_X ? 'x' : '-',
		    perm & MMU_U ? 'u' : '-');
}

/* ---- pt, s2pt ---- */

/* What the walk for @at comes to. */
static void add_answer(uint64_t at, const struct mmu_xlat *x, struct strbuf *out)
{
	if (!x->mapped) {
		strbuf_addf(out, "%#" PRIx64 ": not mapped: %s\n", at, mmu_why_text(x->why));
		return;
	}
	strbuf_addf(out, "%#" PRIx64 ": physical %#" PRIx64 ", page of %#" PRIx64 " bytes, ", at,
		    x->phys.raw + (at - x->start.raw), x->size);
	add_perm(x->perm, out);
	strbuf_addc(out, '\n');
}

static void add_unreadable(uint64_t at, int rc, struct strbuf *out)
{
	strbuf_addf(out, "%#" PRIx64 ": a page table cannot be read: %s\n", at, strerror(-rc));
}

void monitor_pt(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	struct arch_regs *r;
	struct mmu_xlat x;
	uint64_t at;
	int rc;

	if (!monitor_number(&args, "an address", out, &at) || !monitor_end(args, out))
		return;
	rc = engine_translate(ctx->engine, ctx->vcpu, GVA(at), &x);
	if (rc == 0)
		rc = engine_regs(ctx->engine, ctx->vcpu, arch->walk_groups, &r);
	if (rc < 0) {
		add_unreadable(at, rc, out);
		return;
	}
	arch->pt_text(r, GVA(at), &x, out);
	add_answer(at, &x, out);
}

/* IPA [VTTBR VTCR]. False with a sentence. */
static bool s2pt_args(const char *args, struct strbuf *out, uint64_t *ipa, struct arch_stage2_regs *given,
		      bool *is_given)
{
	if (!monitor_number(&args, "an intermediate address", out, ipa))
		return false;
	*is_given = *args;
	if (*is_given && (!monitor_number(&args, "a value of VTTBR_EL2", out, &given->root) ||
			  !monitor_number(&args, "a value of VTCR_EL2", out, &given->control)))
		return false;
	return monitor_end(args, out);
}

void monitor_s2pt(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	struct arch_stage2_regs values, *given;
	struct arch_regs *r;
	struct mmu_xlat x;
	bool is_given;
	uint64_t ipa;
	int rc;

	if (!s2pt_args(args, out, &ipa, &values, &is_given))
		return;
	if (!arch->stage2) {
		strbuf_addf(out, "this guest is %s, without a second stage of translation\n", arch->name);
		return;
	}
	given = is_given ? &values : NULL;
	rc = engine_regs(ctx->engine, ctx->vcpu, arch->walk_groups, &r);
	if (rc == 0)
		rc = arch->stage2->walk(r, given, mem_table_read, ctx->engine, GPA(ipa), &x);
	if (rc == -ENODATA) {
		strbuf_addf(out, "vCPU %u shows no VTTBR_EL2 and VTCR_EL2: give values, s2pt IPA VTTBR VTCR\n",
			    ctx->vcpu);
	} else if (rc < 0) {
		add_unreadable(ipa, rc, out);
	} else {
		arch->stage2->text(r, given, &x, out);
		add_answer(ipa, &x, out);
	}
}

/* ---- info mem ---- */

/* Page tables are read a page at a time: a walk of everything comes back to the same few pages. */
#define TABLE_CACHE 16
struct table_cache {
	struct engine *engine;
	struct {
		bool valid;
		gpa page;
		uint8_t bytes[4096];
	} slot[TABLE_CACHE];
};

static int cached_read(void *arg, gpa at, void *buf, size_t len)
{
	struct table_cache *c = arg;
	uint64_t page = at.raw & ~4095ull;
	size_t i = (page >> 12) % TABLE_CACHE;

	if (!c->slot[i].valid || c->slot[i].page.raw != page) {
		int rc = mem_table_read(c->engine, GPA(page), c->slot[i].bytes, sizeof(c->slot[i].bytes));

		c->slot[i].valid = rc == 0;
		if (rc < 0)
			return rc;
		c->slot[i].page = GPA(page);
	}
	memcpy(buf, c->slot[i].bytes + (at.raw - page), len);
	return 0;
}

struct run {
	uint64_t start, last; /* both inside */
	uint8_t perm;
	bool open;
};

static void run_print(const struct run *r, struct strbuf *out)
{
	strbuf_addf(out, "%016" PRIx64 "-%016" PRIx64 " ", r->start, r->last);
	add_perm(r->perm, out);
	strbuf_addc(out, '\n');
}

/* Lengthen the open run by the page @x, or print it and open one. Returns: runs printed. */
static unsigned run_add(void *arg, const struct mmu_xlat *x, uint64_t from, struct strbuf *out)
{
	struct run *r = arg;
	uint64_t last = x->start.raw + (x->size - 1);
	unsigned printed = 0;

	if (r->open && x->mapped && r->perm == x->perm && r->last + 1 == from) {
		r->last = last;
		return 0;
	}
	if (r->open) {
		run_print(r, out);
		printed = 1;
	}
	*r = (struct run){ from, last, x->perm, x->mapped };
	return printed;
}

/* Shows one page or hole that was walked. Returns: lines printed. */
typedef unsigned page_fn(void *arg, const struct mmu_xlat *x, uint64_t at, struct strbuf *out);

/*
 * Walk from *@at upwards, page by page and hole by hole, until the top, PAGES_MAX_WALKS or @max lines.
 * Returns: 0: to the top; 1: there is more, at *@at; negative errno: the table for *@at cannot be read.
 */
static int pages_each(struct monitor_ctx *ctx, uint64_t *at, uint64_t max, page_fn *show, void *arg, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	__typeof__(arch->walk) walk = arch->walk_untagged ? arch->walk_untagged : arch->walk;
	_cleanup_(freep) struct table_cache *cache = calloc(1, sizeof(*cache));
	struct arch_regs *r;
	uint64_t lines = 0;
	int rc;

	if (!cache)
		return -ENOMEM;
	cache->engine = ctx->engine;
	rc = engine_regs(ctx->engine, ctx->vcpu, arch->walk_groups, &r);
	if (rc == 0 && ~r->have & arch->walk_groups)
		rc = -ENODATA;
	for (unsigned walks = 0; rc == 0; walks++) {
		struct mmu_xlat x;
		uint64_t next;

		if (walks == PAGES_MAX_WALKS || lines >= max)
			return 1;
		rc = walk(r, cached_read, cache, GVA(*at), &x);
		if (rc < 0)
			break;
		lines += show(arg, &x, *at, out);
		next = x.start.raw + x.size;
		if (next <= *at) // past the top
			return 0;
		*at = next;
	}
	return rc;
}

static void pages_end(int rc, const char *command, uint64_t at, struct strbuf *out)
{
	if (rc < 0)
		strbuf_addf(out, "%016" PRIx64 ": a page table cannot be read: %s\n", at, strerror(-rc));
	else if (rc > 0)
		strbuf_addf(out, "there is more: %s %#" PRIx64 "\n", command, at);
}

void monitor_pages(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	struct run run = { 0 };
	uint64_t at = 0;
	int rc;

	if (*args && (!monitor_number(&args, "an address", out, &at) || !monitor_end(args, out)))
		return;
	rc = pages_each(ctx, &at, PAGES_MAX_RUNS, run_add, &run, out);
	if (run.open)
		run_print(&run, out);
	pages_end(rc, "info mem", at, out);
}

/* ---- info tlb ---- */

static void add_size(uint64_t size, struct strbuf *out)
{
	static const char unit[] = "BKMG";
	unsigned u = 0;

	for (; size && size % 1024 == 0 && u < 3; u++)
		size /= 1024;
	strbuf_addf(out, "%" PRIu64 "%c", size, unit[u]);
}

static unsigned tlb_show(void *arg, const struct mmu_xlat *x, uint64_t at, struct strbuf *out)
{
	const struct arch *const *arch = arg;

	if (!x->mapped)
		return 0;
	strbuf_addf(out, "%016" PRIx64 ": %016" PRIx64 " ", x->start.raw, x->phys.raw);
	add_perm(x->perm, out);
	strbuf_addc(out, ' ');
	(*arch)->page_flags(x, out);
	strbuf_addc(out, ' ');
	add_size(x->size, out);
	strbuf_addc(out, '\n');
	return 1;
}

void monitor_tlb(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const struct arch *arch = engine_target(ctx->engine)->arch;
	uint64_t at = 0, count = PAGES_MAX_RUNS;
	int rc;

	if (*args && !monitor_number(&args, "an address", out, &at))
		return;
	if (*args && !monitor_number(&args, "a number of pages", out, &count))
		return;
	if (!monitor_end(args, out))
		return;
	if (!count || count > TLB_MAX_PAGES) {
		strbuf_addf(out, "%" PRIu64 " pages: expected 1 to %u\n", count, TLB_MAX_PAGES);
		return;
	}
	rc = pages_each(ctx, &at, count, tlb_show, &arch, out);
	pages_end(rc, "info tlb", at, out);
}

/* ---- xp ---- */

/* FMT: a count, x, and a size letter, each optional. Returns false with a sentence. */
static bool xp_format(const char **args, struct strbuf *out, uint64_t *count, unsigned *size)
{
	static const char letters[] = "bhwg";
	size_t n = strcspn(*args, " \t");
	struct cur c = cur_init(*args, n);
	const char *letter;

	*count = 1;
	*size = 4;
	if (!cur_try(&c, '/'))
		return true;
	if (cur_peek(&c) >= '0' && cur_peek(&c) <= '9')
		*count = cur_dec(&c);
	cur_try(&c, 'x');
	letter = cur_left(&c) ? strchr(letters, cur_peek(&c)) : NULL;
	if (letter) {
		cur_bytes(&c, 1);
		*size = 1u << (letter - letters);
	}
	if (!cur_done(&c) || !*count || *count > XP_MAX_BYTES / *size) {
		strbuf_addf(
			out,
			"'%.*s' is not a format: expected /COUNT and one of b h w g, at most %u bytes, as in /16xb\n",
			(int)n, *args, XP_MAX_BYTES);
		return false;
	}
	*args += n + strspn(*args + n, " \t");
	return true;
}

void monitor_xp(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	uint64_t at, count;
	unsigned size, per_line;

	if (!xp_format(&args, out, &count, &size) || !monitor_number(&args, "an address", out, &at) ||
	    !monitor_end(args, out))
		return;
	per_line = 16 / size;
	for (uint64_t i = 0; i < count; i++) {
		uint8_t buf[8] = { 0 };
		size_t done;

		if (i % per_line == 0)
			strbuf_addf(out, "%s%016" PRIx64 ":", i ? "\n" : "", at + i * size);
		if (engine_mem_read(ctx->engine, ctx->vcpu, ENGINE_PHYS, at + i * size, buf, size, &done) < 0 ||
		    done < size) {
			strbuf_adds(out, " no memory there");
			break;
		}
		strbuf_addf(out, " 0x%0*" PRIx64, (int)size * 2, ld_le64(buf));
	}
	strbuf_addc(out, '\n');
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/expect.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/macros.h"

/* How a way came to where it is: the lines that were met, last first. Shared between ways. */
struct met {
	unsigned refs;
	size_t item;
	struct expect_result by;
	struct met *before;
};

/* A block of any order: what has come so far, and which line each of it is taken for. It can be taken otherwise. */
struct block {
	unsigned n;
	struct {
		uint64_t fits; // bit: member
		struct expect_result by;
	} got[GOLDEN_MEMBERS_MAX];
	int8_t got_for[GOLDEN_MEMBERS_MAX]; // by member; -1: none
};

/* One way: before the item `at`, or inside of the block that it is. */
struct way {
	size_t at;
	uint64_t ns; // of what was met last
	struct met *met;
	struct block *block; // NULL: nothing of it has come
};

struct ways {
	struct way *way;
	size_t n, cap;
};

struct expect {
	const struct golden *g;
	enum expect_state state;
	struct ways now, next;
	size_t *place; // by item: 1 + index in `next` of the way that is before it
	size_t progress;
	bool untimed, oom;
};

/* ---- ways ---- */

static struct met *met_ref(struct met *m)
{
	if (m)
		m->refs++;
	return m;
}

static void met_unref(struct met *m)
{
	while (m && --m->refs == 0) {
		struct met *before = m->before;

		free(m);
		m = before;
	}
}

static void way_deinit(struct way *w)
{
	met_unref(w->met);
	free(w->block);
}

static void ways_clear(struct ways *s)
{
	for (size_t i = 0; i < s->n; i++)
		way_deinit(&s->way[i]);
	s->n = 0;
}

/* @w is the list's from here on, also if there is no memory. */
static void ways_put(struct expect *e, struct way w)
{
	struct ways *s = &e->next;

	if (s->n == s->cap) {
		const size_t cap = s->cap ? 2 * s->cap : 16;
		struct way *grown = reallocarray(s->way, cap, sizeof(*grown));

		if (!grown) {
			e->oom = true;
			way_deinit(&w);
			return;
		}
		s->way = grown;
		s->cap = cap;
	}
	s->way[s->n++] = w;
}

/* The item behind, past the members of a block. */
static size_t behind(const struct golden *g, size_t at)
{
	return at + 1 + g->item[at].members;
}

static bool all_optional(const struct golden *g, size_t block)
{
	for (unsigned i = 1; i <= g->item[block].members; i++)
		if (!g->item[block + i].optional)
			return false;
	return true;
}

/* May it be passed without anything having come? */
static bool can_be_passed(const struct golden *g, size_t at)
{
	const struct golden_item *x = &g->item[at];

	return x->optional || x->kind == GOLDEN_GAP || (x->kind == GOLDEN_ANY && all_optional(g, at));
}

/* A way that is before the item @at, and behind all that may be passed. Of two ways that are at the same place the
 * later one has the more time left. */
static void reach(struct expect *e, size_t at, uint64_t ns, struct met *met)
{
	for (;; at = behind(e->g, at)) {
		struct way *there = e->place[at] ? &e->next.way[e->place[at] - 1] : NULL;

		if (!there) {
			ways_put(e, (struct way){ .at = at, .ns = ns, .met = met_ref(met) });
			e->place[at] = e->next.n;
		} else if (there->ns < ns) {
			met_unref(there->met);
			there->met = met_ref(met);
			there->ns = ns;
		}
		if (at == e->g->n || !can_be_passed(e->g, at))
			return;
	}
}

/* ---- blocks ---- */

/* Takes a thing that fits a member (@thing) for it, and what was taken for that member for another one. */
static bool take_for(struct block *b, unsigned thing, unsigned members, uint64_t *tried)
{
	for (unsigned m = 0; m < members; m++) {
		if (!(b->got[thing].fits & BIT64(m)) || *tried & BIT64(m))
			continue;
		*tried |= BIT64(m);
		if (b->got_for[m] < 0 || take_for(b, (unsigned)b->got_for[m], members, tried)) {
			b->got_for[m] = (int8_t)thing;
			return true;
		}
	}
	return false;
}

/* Finds something for member @m, from members that can do without. */
static bool supply(const struct golden_item *member, struct block *b, unsigned m, unsigned members, uint64_t *tried)
{
	for (unsigned k = 0; k < members; k++) {
		const int8_t thing = b->got_for[k];

		if (thing < 0 || *tried & BIT64(k) || !(b->got[thing].fits & BIT64(m)))
			continue;
		*tried |= BIT64(k);
		b->got_for[m] = thing;
		b->got_for[k] = -1;
		if (member[k].optional || supply(member, b, k, members, tried))
			return true;
		b->got_for[k] = thing;
		b->got_for[m] = -1;
	}
	return false;
}

/* Is everything there that must be? Then it is taken for it. */
static bool is_complete(const struct golden_item *member, struct block *b, unsigned members)
{
	for (unsigned m = 0; m < members; m++) {
		uint64_t tried = BIT64(m);

		if (!member[m].optional && b->got_for[m] < 0 && !supply(member, b, m, members, &tried))
			return false;
	}
	return true;
}

/* ---- one unit ---- */

/* What is judged: a unit, or that the guest switched itself off (rec is NULL). */
struct news {
	const struct checkpoint_record *rec;
	const struct checkpoint_label *label;
	struct expect_result by;
	bool may_be_ignored; // noise and text, unless a line asks for them
};

static bool item_fits(const struct expect *e, const struct golden_item *x, const struct way *w, const struct news *news)
{
	if (x->kind == GOLDEN_POWER_OFF)
		return !news->rec;
	return news->rec && golden_item_fits(x, news->rec, news->label) &&
	       (!x->within_ns || e->untimed || news->by.ns <= w->ns || news->by.ns - w->ns <= x->within_ns);
}

static struct met *met_create(struct expect *e, size_t item, struct expect_result by, struct met *before)
{
	struct met *m = calloc(1, sizeof(*m));

	if (!m) {
		e->oom = true;
		return NULL;
	}
	*m = (struct met){ .refs = 1, .item = item, .by = by, .before = met_ref(before) };
	return m;
}

/* As what came after what this way has met. */
static struct expect_result result_of(const struct way *w, const struct news *news)
{
	struct expect_result r = news->by;

	r.took_ns = r.ns > w->ns ? r.ns - w->ns : 0;
	return r;
}

static void advance_line(struct expect *e, const struct way *w, const struct news *news)
{
	struct met *met = met_create(e, w->at, result_of(w, news), w->met);

	reach(e, w->at + 1, news->by.ns, met);
	met_unref(met);
}

/* The block is complete: on behind it. */
static void leave_block(struct expect *e, const struct way *w)
{
	const struct block *b = w->block;
	struct met *met = met_ref(w->met);

	for (unsigned m = 0; m < e->g->item[w->at].members; m++) {
		struct met *before = met;

		if (b->got_for[m] < 0)
			continue;
		met = met_create(e, w->at + 1 + m, b->got[b->got_for[m]].by, before);
		met_unref(before);
	}
	reach(e, behind(e->g, w->at), w->ns, met);
	met_unref(met);
}

static struct block *block_copy(const struct block *from)
{
	struct block *b = malloc(sizeof(*b));

	if (b && from)
		*b = *from;
	if (b && !from) {
		b->n = 0;
		memset(b->got_for, -1, sizeof(b->got_for));
	}
	return b;
}

static void advance_block(struct expect *e, const struct way *w, const struct news *news)
{
	const struct golden_item *member = &e->g->item[w->at + 1];
	const unsigned members = e->g->item[w->at].members;
	uint64_t fits = 0, tried = 0;

	for (unsigned m = 0; m < members; m++)
		if (item_fits(e, &member[m], w, news))
			fits |= BIT64(m);
	if (!fits)
		return;

	struct way to = { .at = w->at, .ns = news->by.ns, .met = met_ref(w->met), .block = block_copy(w->block) };
	if (!to.block) {
		e->oom = true;
		way_deinit(&to);
		return;
	}
	to.block->got[to.block->n].fits = fits;
	to.block->got[to.block->n].by = result_of(w, news);
	if (!take_for(to.block, to.block->n++, members, &tried)) {
		way_deinit(&to);
		return;
	}
	if (is_complete(member, to.block, members))
		leave_block(e, &to);
	if (to.block->n < members)
		ways_put(e, to);
	else
		way_deinit(&to);
}

static void stay(struct expect *e, const struct way *w)
{
	if (w->block)
		ways_put(e, (struct way){
				    .at = w->at, .ns = w->ns, .met = met_ref(w->met), .block = block_copy(w->block) });
	else
		reach(e, w->at, w->ns, w->met);
}

static void advance(struct expect *e, const struct way *w, const struct news *news)
{
	const struct golden_item *x = &e->g->item[w->at];

	if (x->kind == GOLDEN_GAP || news->may_be_ignored)
		stay(e, w);
	if (x->kind == GOLDEN_ANY)
		advance_block(e, w, news);
	else if (item_fits(e, x, w, news))
		advance_line(e, w, news);
}

/* How far a way has come: a block counts by what has come of it. */
static size_t distance(const struct way *w)
{
	return w->at + (w->block ? w->block->n : 0);
}

static const struct way *farthest(const struct expect *e)
{
	const struct way *best = NULL;

	for (size_t i = 0; i < e->now.n; i++) {
		const struct way *w = &e->now.way[i];

		if (!best || distance(w) > distance(best) || (distance(w) == distance(best) && w->ns > best->ns))
			best = w;
	}
	return best;
}

/* The ways that are left are those to be followed; with none left, those before it tell what was wanted. */
static void settle(struct expect *e)
{
	for (size_t i = 0; i < e->next.n; i++)
		if (!e->next.way[i].block)
			e->place[e->next.way[i].at] = 0;
	if (e->next.n == 0 || e->oom) {
		ways_clear(&e->next);
		e->state = EXPECT_DIVERGED;
		return;
	}
	ways_clear(&e->now);

	const struct ways left = e->next;
	e->next = e->now;
	e->now = left;
	const struct way *w = farthest(e);
	if (w->at == e->g->n)
		e->state = EXPECT_MATCHED;
	e->progress = MAX(e->progress, distance(w));
}

static enum expect_state judge(struct expect *e, const struct news *news)
{
	if (e->state != EXPECT_OPEN)
		return e->state;
	for (size_t i = 0; i < e->now.n; i++)
		advance(e, &e->now.way[i], news);
	settle(e);
	return e->state;
}

/* ---- for everyone else ---- */

int expect_create(const struct golden *g, uint64_t start_ns, struct expect **ret)
{
	struct expect *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->g = g;
	e->place = calloc(g->n + 1, sizeof(*e->place));
	if (e->place) {
		reach(e, 0, start_ns, NULL);
		settle(e);
	}
	if (!e->place || e->oom) {
		expect_destroy(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

void expect_destroy(struct expect *e)
{
	if (!e)
		return;
	ways_clear(&e->now);
	ways_clear(&e->next);
	free(e->now.way);
	free(e->next.way);
	free(e->place);
	free(e);
}

enum expect_state expect_unit(struct expect *e, const struct checkpoint_record *rec,
			      const struct checkpoint_label *label)
{
	return judge(e, &(struct news){ .rec = rec,
					.label = label,
					.by = { .met = true, .seq = rec->seq, .ns = rec->ns },
					.may_be_ignored = rec->kind == CHECKPOINT_TEXT || label->noise });
}

enum expect_state expect_power_off(struct expect *e, uint64_t ns)
{
	if (judge(e, &(struct news){ .by = { .met = true, .ns = ns } }) == EXPECT_OPEN)
		e->state = EXPECT_DIVERGED;
	return e->state;
}

void expect_untimed(struct expect *e)
{
	e->untimed = true;
}

uint64_t expect_met_ns(const struct expect *e)
{
	return farthest(e)->ns;
}

size_t expect_progress(const struct expect *e)
{
	return e->progress;
}

void expect_results(const struct expect *e, struct expect_result *out)
{
	const struct way *w = farthest(e);

	memset(out, 0, e->g->n * sizeof(*out));
	for (const struct met *m = w->met; m; m = m->before)
		out[m->item] = m->by;
	for (unsigned m = 0; w->block && m < e->g->item[w->at].members; m++)
		if (w->block->got_for[m] >= 0)
			out[w->at + 1 + m] = w->block->got[w->block->got_for[m]].by;
}

/* Can it come next, on some way? */
static bool is_wanted(const struct expect *e, size_t item)
{
	for (size_t i = 0; i < e->now.n; i++) {
		const struct way *w = &e->now.way[i];
		const size_t member = item - w->at - 1;

		if (w->at == item ||
		    (w->at < item && item < behind(e->g, w->at) && (!w->block || w->block->got_for[member] < 0)))
			return true;
	}
	return false;
}

size_t expect_wanted(const struct expect *e, const struct golden_item **out, size_t max)
{
	_cleanup_(freep) struct expect_result *result = calloc(e->g->n, sizeof(*result));
	size_t n = 0;

	if (result)
		expect_results(e, result);
	for (size_t i = 0; i < e->g->n && n < max; i++) {
		const struct golden_item *x = &e->g->item[i];

		if (x->kind == GOLDEN_GAP || x->kind == GOLDEN_ANY || (result && result[i].met) || !is_wanted(e, i))
			continue;
		out[n++] = x;
	}
	return n;
}

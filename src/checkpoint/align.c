/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), "A Linear Space Refinement". */
#include "checkpoint/align.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/macros.h"

/* So many differences are looked through before a good way is taken instead of the best one. */
enum { COST_MAX = 1000 };

/* A part of both sequences: positions in `a` are x, those in `b` y. */
struct box {
	ptrdiff_t x0, x1, y0, y1;
};

struct point {
	ptrdiff_t x, y;
};

struct work {
	const uint32_t *a, *b;
	ptrdiff_t *ahead, *back; // how far x comes on diagonal x - y, from each corner; both begin at diagonal -nb - 1
	size_t *match;
};

static bool same(const struct work *w, ptrdiff_t x, ptrdiff_t y)
{
	return w->a[x] == w->b[y];
}

/* What both begin and end with belongs together. */
static void trim(const struct work *w, struct box *q)
{
	while (q->x0 < q->x1 && q->y0 < q->y1 && same(w, q->x0, q->y0))
		w->match[q->x0++] = (size_t)q->y0++;
	while (q->x0 < q->x1 && q->y0 < q->y1 && same(w, q->x1 - 1, q->y1 - 1))
		w->match[--q->x1] = (size_t)--q->y1;
}

/* The diagonals that have been reached from one corner. */
struct range {
	ptrdiff_t min, max;
};

/* One more difference allowed: the range grows by a diagonal on both sides, and shrinks at the edges of the box.
 * @none: what diagonals beyond it hold. */
static void widen(ptrdiff_t *reach, struct range *r, ptrdiff_t low, ptrdiff_t high, ptrdiff_t none)
{
	if (r->min > low)
		reach[--r->min - 1] = none;
	else
		r->min++;
	if (r->max < high)
		reach[++r->max + 1] = none;
	else
		r->max--;
}

static ptrdiff_t go_ahead(const struct work *w, const struct box *q, ptrdiff_t k)
{
	ptrdiff_t x = MAX(w->ahead[k - 1] + 1, w->ahead[k + 1]);

	while (x < q->x1 && x - k < q->y1 && same(w, x, x - k))
		x++;
	return w->ahead[k] = x;
}

static ptrdiff_t go_back(const struct work *w, const struct box *q, ptrdiff_t k)
{
	ptrdiff_t x = MIN(w->back[k - 1], w->back[k + 1] - 1);

	while (x > q->x0 && x - k > q->y0 && same(w, x - 1, x - k - 1))
		x--;
	return w->back[k] = x;
}

/* @at, if it is in the box and further than *far from the corner. */
static void consider(const struct box *q, struct point at, ptrdiff_t distance, ptrdiff_t *far, struct point *best)
{
	if (distance <= *far || at.x < q->x0 || at.x > q->x1 || at.y < q->y0 || at.y > q->y1)
		return;
	*far = distance;
	*best = at;
}

/* Too much differs: the point that is furthest from its corner. */
static struct point give_up(const struct work *w, const struct box *q, struct range ahead, struct range back)
{
	struct point best = { q->x0, q->y0 };
	ptrdiff_t far = 0;

	for (ptrdiff_t k = ahead.min; k <= ahead.max; k += 2) {
		const struct point at = { w->ahead[k], w->ahead[k] - k };

		consider(q, at, at.x - q->x0 + at.y - q->y0, &far, &best);
	}
	for (ptrdiff_t k = back.min; k <= back.max; k += 2) {
		const struct point at = { w->back[k], w->back[k] - k };

		consider(q, at, q->x1 - at.x + q->y1 - at.y, &far, &best);
	}
	return best;
}

/* A point on a shortest way from one corner of the box to the other. Nothing is the same at either. */
static struct point middle(const struct work *w, const struct box *q)
{
	const ptrdiff_t low = q->x0 - q->y1, high = q->x1 - q->y0, first = q->x0 - q->y0, last = q->x1 - q->y1;
	const bool odd = (last - first) & 1;
	struct range ahead = { first, first }, back = { last, last };

	w->ahead[first] = q->x0;
	w->back[last] = q->x1;
	for (unsigned cost = 0; cost < COST_MAX; cost++) {
		widen(w->ahead, &ahead, low, high, -1);
		for (ptrdiff_t k = ahead.max; k >= ahead.min; k -= 2) {
			const ptrdiff_t x = go_ahead(w, q, k);

			if (odd && k >= back.min && k <= back.max && x >= w->back[k])
				return (struct point){ x, x - k };
		}
		widen(w->back, &back, low, high, PTRDIFF_MAX);
		for (ptrdiff_t k = back.max; k >= back.min; k -= 2) {
			const ptrdiff_t x = go_back(w, q, k);

			if (!odd && k >= ahead.min && k <= ahead.max && x <= w->ahead[k])
				return (struct point){ x, x - k };
		}
	}
	return give_up(w, q, ahead, back);
}

static void align_box(const struct work *w, struct box q)
{
	for (;;) {
		trim(w, &q);
		if (q.x0 == q.x1 || q.y0 == q.y1)
			return;
		const struct point at = middle(w, &q);
		struct box head = { q.x0, at.x, q.y0, at.y }, tail = { at.x, q.x1, at.y, q.y1 };
		const bool head_is_small = at.x - q.x0 + at.y - q.y0 < q.x1 - at.x + q.y1 - at.y;

		if ((at.x == q.x0 && at.y == q.y0) || (at.x == q.x1 && at.y == q.y1))
			return;
		align_box(w, head_is_small ? head : tail); // so that calls do not nest deeply
		q = head_is_small ? tail : head;
	}
}

int align(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, size_t *match)
{
	const size_t diagonals = na + nb + 3;
	_cleanup_(freep) ptrdiff_t *reach = calloc(2 * diagonals, sizeof(*reach));
	const struct work w = { a, b, reach + nb + 1, reach + diagonals + nb + 1, match };

	if (!reach)
		return -ENOMEM;
	for (size_t i = 0; i < na; i++)
		match[i] = ALIGN_NONE;
	align_box(&w, (struct box){ 0, (ptrdiff_t)na, 0, (ptrdiff_t)nb });
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/merge.h"

#include <stdlib.h>

#include "test.h"

struct taken {
	struct trace_item item[16];
	unsigned n, stop_at; /* refuse the item with that number, from 1 */
};

static bool take(void *arg, const struct trace_item *item)
{
	struct taken *t = arg;

	if (t->n + 1 == t->stop_at)
		return false;
	t->item[t->n++] = *item;
	return true;
}

static void add(struct trace_merge *m, uint64_t ns, uint32_t value)
{
	trace_merge_add(m, &(struct trace_item){ .ns = ns, .value = value, .count = 1 });
}

static void check_values(const struct taken *t, const char *values)
{
	CHECK_EQ(t->n, strlen(values));
	for (unsigned i = 0; i < t->n; i++)
		CHECK_EQ(t->item[i].value, values[i]);
}

TEST(items_of_several_rings_come_in_the_order_of_time)
{
	struct trace_merge m = { 0 };
	struct taken t = { 0 };

	add(&m, 10, 'a');
	add(&m, 30, 'c');
	add(&m, 20, 'b');
	add(&m, 40, 'd');
	trace_merge_take(&m, 100, take, &t);
	check_values(&t, "abcd");
	trace_merge_deinit(&m);
}

TEST(items_of_the_same_time_stay_as_they_came)
{
	struct trace_merge m = { 0 };
	struct taken t = { 0 };

	for (uint32_t c = 'a'; c < 'a' + 10; c++)
		add(&m, 10, c);
	trace_merge_take(&m, 10, take, &t);
	check_values(&t, "abcdefghij");
	trace_merge_deinit(&m);
}

TEST(what_is_later_than_what_is_sure_waits)
{
	struct trace_merge m = { 0 };
	struct taken t = { 0 };

	add(&m, 10, 'a');
	add(&m, 30, 'c');
	trace_merge_take(&m, 25, take, &t);
	check_values(&t, "a");
	add(&m, 26, 'b'); // was on its way
	trace_merge_take(&m, UINT64_MAX, take, &t);
	check_values(&t, "abc");
	trace_merge_deinit(&m);
}

TEST(an_item_that_is_not_taken_comes_first_the_next_time)
{
	struct trace_merge m = { 0 };
	struct taken t = { .stop_at = 2 };

	add(&m, 10, 'a');
	add(&m, 20, 'b');
	add(&m, 30, 'c');
	trace_merge_take(&m, 100, take, &t);
	check_values(&t, "a");
	t.stop_at = 0;
	trace_merge_take(&m, 100, take, &t);
	check_values(&t, "abc");
	trace_merge_deinit(&m);
}

TEST(an_item_that_comes_too_late_does_not_go_back_in_time)
{
	struct trace_merge m = { 0 };
	struct taken t = { 0 };

	add(&m, 20, 'a');
	trace_merge_take(&m, 100, take, &t);
	add(&m, 10, 'b');
	trace_merge_take(&m, 100, take, &t);
	check_values(&t, "ab");
	CHECK_EQ(t.item[1].ns, 20);
	trace_merge_deinit(&m);
}

struct order {
	uint64_t ns, n;
};

static bool in_order(void *arg, const struct trace_item *item)
{
	struct order *o = arg;

	CHECK(item->ns >= o->ns);
	o->ns = item->ns;
	o->n++;
	return true;
}

/* Rings that are read at different moments, as long as what is taken is sure. */
TEST(any_mixture_of_rings_comes_out_in_order)
{
	struct trace_merge m = { 0 };
	struct order o = { 0 };
	uint64_t at[4] = { 0 }, sure = UINT64_MAX, added = 0;

	srand(1);
	for (unsigned round = 0; round < 500; round++) {
		sure = UINT64_MAX;
		for (unsigned ring = 0; ring < 4; ring++) {
			for (int i = rand() % 20; i > 0; i--, added++)
				add(&m, at[ring] += (uint64_t)(rand() % 3), ring);
			sure = sure < at[ring] ? sure : at[ring];
		}
		trace_merge_take(&m, sure ? sure - 1 : 0, in_order, &o);
	}
	trace_merge_take(&m, UINT64_MAX, in_order, &o);
	CHECK_EQ(o.n, added);
	trace_merge_deinit(&m);
}

TESTS(T(items_of_several_rings_come_in_the_order_of_time), T(items_of_the_same_time_stay_as_they_came),
      T(what_is_later_than_what_is_sure_waits), T(an_item_that_is_not_taken_comes_first_the_next_time),
      T(an_item_that_comes_too_late_does_not_go_back_in_time), T(any_mixture_of_rings_comes_out_in_order))

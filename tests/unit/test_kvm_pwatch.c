/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/internal.h"

#include <poll.h>
#include <stdlib.h>

#include "test.h"
#include "util/macros.h"

/* Two vCPUs that never run, on memory of their own. */

enum { AT = 0x40, LEN = 16, OLD = 0x48, INT3 = 0xcc, PATIENCE_MS = 50 };

static uint8_t ram[4096];

static void *hva(struct kvm_port *p, gpa at, size_t *len)
{
	*len = MIN(*len, sizeof(ram) - at.raw);
	return ram + at.raw;
}

static void lift(void *arg, bool on)
{
}

static const struct kvm_port_ops port_ops = { .hva = hva };
static const struct kvm_exit_ops exit_ops = { .lift = lift };

struct watched {
	struct kvm_port port;
	struct kvm_cpus *c;
};

static void watched_open(struct watched *w)
{
	const struct target_pwatch watch = { .at = GPA(AT), .len = LEN };

	memset(ram, OLD, sizeof(ram));
	w->port = (struct kvm_port){ .ops = &port_ops, .nvcpus = 2 };
	w->c = calloc(1, sizeof(*w->c) + 2 * sizeof(w->c->cpu[0]));
	CHECK(w->c != NULL);
	w->c->port = &w->port;
	w->c->ops = &exit_ops;
	w->c->ncpus = 2;
	pthread_mutex_init(&w->c->lock, NULL);
	pthread_mutex_init(&w->c->landings, NULL);
	pthread_cond_init(&w->c->gate, NULL);
	for (unsigned i = 0; i < 2; i++)
		w->c->cpu[i].all = w->c;
	CHECK_EQ(kvm_cpus_pwatch_set(w->c, &watch, 1), 0);
	kvm_pwatch_look_locked(w->c);
}

static void watched_close(struct watched *w)
{
	kvm_pwatch_deinit(w->c);
	pthread_cond_destroy(&w->c->gate);
	pthread_mutex_destroy(&w->c->landings);
	pthread_mutex_destroy(&w->c->lock);
	free(w->c);
}

TEST(a_change_is_found_once)
{
	struct target_pwatch_hit hit;
	struct watched w;

	watched_open(&w);
	CHECK(!kvm_pwatch_check(&w.c->cpu[0], &hit));
	ram[AT + 9] = 1;
	CHECK(kvm_pwatch_check(&w.c->cpu[0], &hit));
	CHECK_EQ(hit.at.raw, AT + 8);
	CHECK_EQ(hit.old, 0x4848484848484848);
	CHECK_EQ(hit.new, 0x4848484848480148);
	CHECK(!kvm_pwatch_check(&w.c->cpu[0], &hit));
	watched_close(&w);
}

struct looker {
	struct kvm_cpu *cpu;
	bool found, done;
};

static void *look(void *arg)
{
	struct looker *l = arg;
	struct target_pwatch_hit hit;

	l->found = kvm_pwatch_check(l->cpu, &hit);
	__atomic_store_n(&l->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* As long as the other vCPU's int3 is there it is not found, however long that is. */
TEST(an_int3_that_is_planted_for_the_step_of_another_vcpu_is_no_change)
{
	struct looker l = { 0 };
	struct watched w;
	pthread_t thread;

	watched_open(&w);
	l.cpu = &w.c->cpu[0];
	pthread_mutex_lock(&w.c->landings);
	__atomic_store_n(&ram[AT], INT3, __ATOMIC_SEQ_CST);
	CHECK_EQ(pthread_create(&thread, NULL, look, &l), 0);
	for (int ms = 0; ms < PATIENCE_MS && !__atomic_load_n(&l.done, __ATOMIC_SEQ_CST); ms++)
		poll(NULL, 0, 1);
	__atomic_store_n(&ram[AT], OLD, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&w.c->landings);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(!l.found);
	watched_close(&w);
}

TESTS(T(a_change_is_found_once), T(an_int3_that_is_planted_for_the_step_of_another_vcpu_is_no_change))

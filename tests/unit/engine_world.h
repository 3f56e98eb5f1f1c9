/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_ENGINE_WORLD_H
#define TESTS_UNIT_ENGINE_WORLD_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include "engine/engine.h"
#include "test.h"
#include "util/bytes.h"
#include "util/macros.h"

/*
 * A fake guest with an engine on it, and page tables to build in its RAM. The functions are static inline because
 * no test program uses all of them.
 */
#define NOP 0x90
#define BP 0xcc
#define HLT 0xf4
#define CODE 0x1000u     /* where tests put code: RAM is filled with NOP from 0 to TABLES */
#define TABLES 0x100000u /* page tables are built from here up */
#define RAM_SIZE 0x200000u

struct world {
	struct target *t;
	struct engine *e;
	uint8_t *ram;
	uint64_t root, next_table;
};

static inline struct world world_open(struct target_fake_cfg cfg)
{
	struct world w = { .root = TABLES, .next_table = TABLES + 4096 };

	cfg.nvcpus = cfg.nvcpus ? cfg.nvcpus : 1;
	cfg.ram_size = RAM_SIZE;
	CHECK_EQ(target_fake_create(&cfg, &w.t), 0);
	CHECK_EQ(engine_create(w.t, &w.e), 0);
	w.ram = target_fake_ram(w.t);
	memset(w.ram, NOP, TABLES);
	for (unsigned v = 0; v < cfg.nvcpus; v++)
		target_fake_regs(w.t, v)->x86.rip = CODE;
	return w;
}

static inline void world_close(struct world *w)
{
	engine_destroy(w->e);
	target_destroy(w->t);
}

/* Map one 4 KiB page in 4-level tables under w->root. */
static inline void world_map(struct world *w, uint64_t at, uint64_t phys)
{
	uint64_t table = w->root;

	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint8_t *entry = w->ram + table + 8 * (at >> shift & 511);

		if (!(ld_le64(entry) & 1)) {
			st_le64(entry, w->next_table | 7);
			w->next_table += 4096;
		}
		table = ld_le64(entry) & ~4095ull;
	}
	st_le64(w->ram + table + 8 * (at >> 12 & 511), phys | 7);
}

/* Start another set of tables; the former one stays where it is. Returns its root. */
static inline uint64_t world_new_tables(struct world *w)
{
	w->root = w->next_table;
	w->next_table += 4096;
	return w->root;
}

static inline void world_use_tables(struct world *w, unsigned vcpu, uint64_t root)
{
	struct arch_regs *r;

	CHECK_EQ(engine_regs(w->e, vcpu, ARCH_SYS, &r), 0);
	r->x86.cr0 |= 1u << 31;
	r->x86.cr4 |= 1u << 5;
	r->x86.cr3 = root;
	r->dirty |= ARCH_SYS;
	CHECK_EQ(engine_regs_flush(w->e, vcpu), 0);
}

/* Every vCPU does @rest, but @vcpu does @action. */
static inline struct resume_plan plan(enum target_action rest, unsigned vcpu, enum target_action action)
{
	struct resume_plan p = { 0 };

	for (unsigned v = 0; v < TARGET_MAX_VCPUS; v++)
		p.vcpu[v].action = rest;
	p.vcpu[vcpu].action = action;
	return p;
}

/* Digest what there is, as the server's loop does. False: the guest still runs and nothing is to come. */
static inline bool wait_stop(struct world *w, struct stop_event *ev)
{
	struct pollfd fd = { .fd = engine_event_fd(w->e), .events = POLLIN };

	while (engine_running(w->e) && poll(&fd, 1, 0) == 1)
		if (engine_next_stop(w->e, ev) == 0)
			return true;
	return false;
}

static inline int resume(struct world *w, enum target_action rest, unsigned vcpu, enum target_action action)
{
	struct resume_plan p = plan(rest, vcpu, action);

	return engine_resume(w->e, &p);
}

static inline int insert(struct world *w, enum engine_bp_kind kind, uint64_t at)
{
	return engine_bp_insert(w->e, 0, kind, GVA(at), 1, NULL);
}

static inline int take_out(struct world *w, enum engine_bp_kind kind, uint64_t at)
{
	return engine_bp_remove(w->e, kind, GVA(at), 1);
}

static inline unsigned native_count(struct world *w)
{
	unsigned n;

	target_fake_breaks(w->t, &n);
	return n;
}

static inline uint64_t rip(struct world *w, unsigned vcpu)
{
	return target_fake_regs(w->t, vcpu)->x86.rip;
}

/* Run until the first vCPU gets to a new breakpoint at @at: the client has seen it stop there. */
static inline void run_into(struct world *w, uint64_t at)
{
	struct stop_event ev;

	CHECK_EQ(insert(w, ENGINE_SWBP, at), 0);
	CHECK_EQ(resume(w, TARGET_RUN, 0, TARGET_RUN), 0);
	CHECK(wait_stop(w, &ev));
	CHECK_EQ(ev.why, STOP_SWBREAK);
	CHECK_EQ(ev.pc.raw, at);
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CMD_GUEST_H
#define CMD_GUEST_H

#include "checkpoint/log.h"
#include "checkpoint/recent.h"
#include "cmd.h"
#include "console.h"
#include "util/loop.h"

/*
 * The guest of `gdbvm run`, and the engine that debugs it: what a reset from the debugger replaces as a whole. Its
 * serial port is on the console, and its checkpoints go to the log. All of this is for the loop's thread.
 */
struct guest;

/* What it points to must outlive the guest. */
struct guest_cfg {
	const struct vm_cfg *vm; /* as the options say; console and checkpoints of it are filled in here */
	enum cmd_accel accel;    /* not AUTO */
	struct console *console;
	struct checkpoint_log *checkpoints; /* NULL: not recorded; then the next two do not matter */
	struct checkpoint_recent *recent;
	const struct checkpoint_names *names;
	bool asked; /* for a file or a verdict; else TCG, where they cost much, records none */
	struct loop *loop;
	loop_fn *event; /* engine_next_stop() may have something */
	void *arg;
};

/**
 * guest_create() - build it; it is stopped before its first instruction. @cfg is copied.
 * Returns: 0; as vm_open(), backend_qemu_create() and engine_create(); -ENODEV also for an option that TCG does not
 * know; @why filled.
 */
int guest_create(const struct guest_cfg *cfg, struct guest **ret, struct errtext *why);
void guest_destroy(struct guest *g); /* NULL ok */

struct engine *guest_engine(const struct guest *g);

/** guest_console_in() - bytes typed, for its serial port. Returns: how many it took; console_room() when it takes more.
 */
size_t guest_console_in(struct guest *g, const void *p, size_t n);

/** guest_console_drain() - what it wrote last and is still on its way, to the console. Waits for nothing but that. */
void guest_console_drain(struct guest *g);

#endif

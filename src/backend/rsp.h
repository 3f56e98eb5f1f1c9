/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_RSP_H
#define BACKEND_RSP_H

#include "backend/backend.h"

/*
 * What the starter of a debug server knows about its guest beyond the server's own packets. Each may be NULL. They are
 * called with the backend's lock held, one at a time; ram() also without it, from any thread.
 */
struct backend_rsp_hooks {
	/* st0..st7 of the server are the physical x87 registers, not stack positions (QEMU). */
	bool st_physical;

	/* Add to @r what the server's g packet lacks (hidden parts of segments, tables, debug registers), and whole
	 * groups that r->have does not have yet. Sets r->have. Guest stopped. */
	int (*regs_read)(void *arg, unsigned vcpu, uint32_t groups, struct arch_regs *r);

	/* The guest's memory, ascending. Without it every address is tried. Any thread. */
	const struct target_region *(*mem_map)(void *arg, unsigned *n);

	/* Host address of RAM that may be read at any time; *len in: wanted, out: contiguous. NULL: ask the server. */
	const void *(*ram)(void *arg, gpa at, size_t *len);

	/* The server stopped with a signal that is neither SIGTRAP nor SIGINT: fill why, text, code. */
	void (*stopped)(void *arg, int sig, struct stop_event *ev);

	/* The guest is about to run again. */
	int (*resuming)(void *arg);

	/* The server hung up: fill text and code. */
	void (*hung_up)(void *arg, struct stop_event *ev);

	void (*kill)(void *arg);
	bool (*vcpu_online)(void *arg, unsigned vcpu);
	void (*describe)(void *arg, struct strbuf *out);
	int (*info)(void *arg, enum target_info what, unsigned vcpu, struct strbuf *out); /* guest stopped */
	void (*destroy)(void *arg); /* not called when backend_rsp_create() fails */
};

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_QEMU_H
#define BACKEND_QEMU_H

#include "backend/backend.h"
#include "backend/qemu_child.h"
#include "backend/qemu_trace.h"
#include "backend/qmp.h"
#include "vmm/mem.h"

/*
 * QEMU's TCG under backend/rsp*.c. All its channels are socket pairs, its RAM, ROM and output are memfds: there is no
 * file and no listening socket that anyone else could find, and nothing to clean up.
 *
 * Memory: reads of RAM go through the shared mapping, at any time. Writes go through the stub, because TCG would not
 * notice a write to the mapping and go on running the code it had translated; so they need a stopped guest (-EBUSY).
 * Firmware and devices are read through the stub too, and also only at rest.
 *
 * QEMU dies with the thread that called backend_qemu_create(): that is the one that lives as long as the program.
 */
enum { QEMU_MAX_REGIONS = 12 };

struct qemu_machine;
struct qemu {
	struct child child;
	struct qmp qmp;
	const struct qemu_machine *machine;
	uint8_t *ram; /* the mapping that is shared with QEMU */
	uint64_t ram_size;
	struct mem mem; /* where it is in the guest */
	struct target_region region[QEMU_MAX_REGIONS];
	unsigned nregions, nvcpus;
	char *asleep[TARGET_MAX_VCPUS]; /* arm64: what the monitor said of a vCPU before anyone started it; malloc */
	int log_fd;
	struct qemu_trace *trace; /* NULL: nobody records what the guest writes to its debug ports */
	off_t log_seen;           /* what QEMU logged before the last resume */
	char reason[32];          /* of the last SHUTDOWN event */
	bool over;                /* the guest switched itself off, or reset: QEMU ends with the next resume */
	enum stop_why over_why;
};

/** qemu_hooks - the struct qemu is their argument. */
extern const struct backend_rsp_hooks qemu_hooks_x86, qemu_hooks_arm64;

/** qemu_region_add() - one more range of the memory map, above the last one; an empty one is left out. */
void qemu_region_add(struct qemu *q, uint64_t start, uint64_t end, enum target_mem_kind kind, const char *name);

/** qemu_on_event() - a qmp_event_fn. */
void qemu_on_event(void *arg, const char *name, json_object *data);

/** qemu_gone_text() - why the child ended (waits for it), as a sentence. Returns an exit status, 1..255. */
int qemu_gone_text(struct qemu *q, char *buf, size_t size);

/** qemu_destroy() - kill QEMU, reap it, unmap. NULL ok. */
void qemu_destroy(struct qemu *q);

#endif

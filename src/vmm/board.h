/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VMM_BOARD_H
#define VMM_BOARD_H

#include "vmm/dev.h"
#include "vmm/vm.h"

/* The devices of a PC as `gdbvm run` builds it. */
struct board;

#define BOARD_MAX_MMIO 4

/* What the devices are plugged into; all of it must outlive the board. */
struct board_ports {
	struct bus *bus;
	struct mem *mem;
	struct irq_lines *irq;
	struct guest_clock *clock;
};

/** board_x86_create() - all devices onto the bus. @cfg is needed only during the call. */
int board_x86_create(const struct vm_cfg *cfg, const struct board_ports *ports, struct board **ret,
		     struct errtext *why);
void board_x86_destroy(struct board *b); /* NULL ok */
void board_x86_destroyp(struct board **b);

struct uart *board_x86_console(struct board *b);

/** board_x86_mmio() - where devices answer to memory accesses, ascending. */
const struct target_region *board_x86_mmio(unsigned *n);

#endif

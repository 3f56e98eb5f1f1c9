/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_QEMU_ARGS_H
#define BACKEND_QEMU_ARGS_H

#include "util/macros.h"
#include "vmm/vm.h"

/* A command line under construction. Start from all zero; out of memory is sticky. */
struct args {
	char *v[96]; /* NULL-terminated */
	unsigned n;
	bool oom;
};

/** args_add() - one more word. Out of memory: `oom`, to be asked for at the end. */
void args_add(struct args *a, const char *fmt, ...) _printf_(2, 3);
void args_deinit(struct args *a); /* also a _cleanup_() function */

/* Descriptors that QEMU inherits. -1: none. */
enum { QEMU_FD_GDB, QEMU_FD_QMP, QEMU_FD_SERIAL, QEMU_FD_RAM, QEMU_FD_LOG, QEMU_FD_ROM, QEMU_NFDS };

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "target/target.h"
#include "util/errtext.h"
#include "vmm/vm.h"

/* One function per implementation of target.h. */

/** backend_kvm_create() - our own VMM as a target. Takes over @m: target_destroy() closes it. */
int backend_kvm_create(struct vm *m, struct target **ret, struct errtext *why);

/**
 * backend_rsp_create() - another debug server as a target.
 * @fd: a connected stream; taken over. The server must have its guest stopped on attach, and speak qXfer:features
 * or the plain x86-64 layout.
 * Returns: 0; -EPROTO with @why when the answers make no sense; -EPIPE when it hangs up.
 */
struct backend_rsp_hooks; /* what the starter of the server adds; see qemu.h */
int backend_rsp_create(int fd, const struct backend_rsp_hooks *hooks, void *arg, struct target **ret,
		       struct errtext *why);

/**
 * backend_rsp_attach() - the same for a server that somebody else started: QEMU's gdbstub, OpenOCD. Its guest stops.
 * target_destroy() lets it run on, with no breakpoint of ours.
 * @stop_fd: readable: a server that has not answered yet is waited for no longer; -1: none.
 * Returns: as backend_rsp_create(); -EPROTO also when the server tells too little; -ECANCELED: by @stop_fd.
 */
int backend_rsp_attach(int fd, int stop_fd, struct target **ret, struct errtext *why);

/**
 * backend_qemu_create() - start QEMU's TCG, halted, with its gdbstub and QMP on private Unix sockets, and return it
 * as a target. @cfg as for vm_open(); @serial_fd: on return, a stream that is the guest's serial port.
 * Returns: 0; -ENODEV: no qemu-system-x86_64 (names the package); -EPROTO...; @why filled.
 */
int backend_qemu_create(const struct vm_cfg *cfg, struct target **ret, int *serial_fd, struct errtext *why);

#endif

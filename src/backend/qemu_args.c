/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/qemu_start.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/line.h"
#include "util/strbuf.h"

void args_add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->oom || a->n + 1 >= ARRAY_LEN(a->v)) {
		a->oom = true;
		return;
	}
	va_start(ap, fmt);
	a->oom = vasprintf(&a->v[a->n], fmt, ap) < 0;
	va_end(ap);
	if (a->oom)
		a->v[a->n] = NULL;
	else
		a->n++;
}

void args_deinit(struct args *a)
{
	for (unsigned i = 0; i < a->n; i++)
		free(a->v[i]);
	*a = (struct args){ 0 };
}

/* An option with its value. */
static void opt(struct args *a, const char *name, const char *value)
{
	args_add(a, "%s", name);
	args_add(a, "%s", value);
}

static void machine_args(struct args *a, const struct vm_cfg *cfg, const int *fds, const char *machine)
{
	uint64_t mib = cfg->mem_size >> 20;

	opt(a, "-accel", "tcg");
	args_add(a, "-smp");
	args_add(a, "%u", cfg->cpus);
	args_add(a, "-m");
	args_add(a, "%" PRIu64 "M", mib);
	// Guest RAM is a file that we map too: it is read at any time, also while the guest runs.
	args_add(a, "-object");
	args_add(a, "memory-backend-file,id=ram,share=on,size=%" PRIu64 "M,mem-path=/dev/fd/%d", mib, fds[QEMU_FD_RAM]);
	args_add(a, "-machine");
	args_add(a, "%s,memory-backend=ram", machine);
	opt(a, "-display", "none");
	args_add(a, "-nodefaults");
	args_add(a, "-no-user-config");
}

static void channel_args(struct args *a, const int *fds)
{
	static const struct {
		int fd;
		const char *id, *option, *value;
	} channel[] = {
		{ QEMU_FD_GDB, "gdb", "-gdb", "chardev:gdb" },
		{ QEMU_FD_QMP, "qmp", "-mon", "chardev=qmp,mode=control" },
		{ QEMU_FD_SERIAL, "serial", "-serial", "chardev:serial" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(channel); i++) {
		args_add(a, "-chardev");
		args_add(a, "socket,id=%s,fd=%d", channel[i].id, fds[channel[i].fd]);
		opt(a, channel[i].option, channel[i].value);
	}
}

/* @type: what it is called as a drive, or none. */
static void disk_args(struct args *a, const char *type, const char *path)
{
	_cleanup_(strbuf_deinit) struct strbuf file = { 0 };
	bool read_only = access(path, W_OK) < 0;

	for (; *path; path++) // a comma in a value is doubled
		strbuf_adds(&file, *path == ',' ? ",," : (char[]){ *path, 0 });
	args_add(a, "-drive");
	// No lock: a guest that is reset has its successor on the disk before it is gone itself.
	args_add(a, "if=%s,id=disk,format=raw,file.locking=off,file=%s%s", type, strbuf_str(&file),
		 read_only ? ",readonly=on" : "");
	a->oom = a->oom || file.oom;
}

/* What all machines have: halted, a log, firmware of ours if there is any. */
static void common_args(struct args *a, const struct vm_cfg *cfg, const int *fds)
{
	args_add(a, "-S");
	channel_args(a, fds);
	// A reset, power-off or panic stops the guest and is reported; the log tells a triple fault from a reset that
	// was asked for.
	opt(a, "-action", "reboot=shutdown,shutdown=pause,panic=pause");
	opt(a, "-d", "cpu_reset");
	args_add(a, "-D");
	args_add(a, "/dev/fd/%d", fds[QEMU_FD_LOG]);
	if (fds[QEMU_FD_ROM] >= 0) {
		args_add(a, "-bios");
		args_add(a, "/dev/fd/%d", fds[QEMU_FD_ROM]);
	}
}

/* Each write to a device is told in the log, with its time; and OVMF writes text if there is a debug console. */
static void checkpoint_args(struct args *a)
{
	opt(a, "-trace", "memory_region_ops_write");
	opt(a, "-msg", "timestamp=on");
	opt(a, "-chardev", "null,id=debugcon");
	args_add(a, "-device");
	args_add(a, "isa-debugcon,iobase=%#x,chardev=debugcon", CHECKPOINT_DEBUGCON);
}

void qemu_args_x86(struct args *a, const char *program, const struct vm_cfg *cfg, const int fds[QEMU_NFDS])
{
	args_add(a, "%s", program);
	machine_args(a, cfg, fds, "pc,max-ram-below-4g=3G"); // the hole where our own VMM has it
	opt(a, "-cpu", "max");
	common_args(a, cfg, fds);
	opt(a, "-device", "pvpanic");
	if (cfg->checkpoint)
		checkpoint_args(a);
	if (cfg->flat)
		opt(a, "-global", "PIIX4_PM.s4_val=5"); // turns the guest off, as the sleep type does on our own board
	if (cfg->kernel) {
		opt(a, "-kernel", cfg->kernel);
		opt(a, "-append", cfg->params);
		if (cfg->initrd)
			opt(a, "-initrd", cfg->initrd);
	}
	if (cfg->disk)
		disk_args(a, "virtio", cfg->disk);
}

/* Its devices are where our own board has them. */
void qemu_args_arm64(struct args *a, const char *program, const struct vm_cfg *cfg, const int fds[QEMU_NFDS])
{
	bool el2 = cfg->flat && cfg->flat_mode == VM_FLAT_EL2;

	args_add(a, "%s", program);
	machine_args(a, cfg, fds, el2 ? "virt,gic-version=3,virtualization=on" : "virt,gic-version=3");
	opt(a, "-cpu", "max,pauth-impdef=on"); // the architected signatures are slow to emulate
	common_args(a, cfg, fds);
	if (cfg->disk) {
		disk_args(a, "none", cfg->disk);
		opt(a, "-global", "virtio-mmio.force-legacy=false");
		opt(a, "-device", "virtio-blk-device,drive=disk,bus=virtio-mmio-bus.0");
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's machine "virt". It has its devices where our own board does, so kernels and flat guests are loaded by
 * ourselves, get our device tree, and start as they do on KVM. Firmware finds QEMU's own, which names more devices.
 */
#include <errno.h>
#include <string.h>

#include "backend/qemu_start.h"
#include "vmm/board_arm64.h"

enum { QEMU_DTB_MAX = 1 << 20 }; /* at the start of RAM, from the machine's reset */

/* The firmware as our own VMM would map it. */
static int firmware_load(struct qemu_start *s, struct errtext *why)
{
	struct boot_arm64 boot;
	struct mem m;
	int rc = mem_init(&m, &mem_layout_arm64, s->cfg->mem_size, why);

	if (rc < 0)
		return rc;
	rc = boot_arm64_load(s->cfg, &m, &boot, why);
	for (unsigned i = 0; i < m.nslots && rc == 0; i++) {
		if (!m.slot[i].rom)
			continue;
		s->rom_size = m.slot[i].size;
		s->theirs[QEMU_FD_ROM] = qemu_memfd_of("firmware", m.slot[i].hva, m.slot[i].size);
	}
	if (rc == 0 && s->theirs[QEMU_FD_ROM] < 0)
		rc = errtext_set(why, -ENOMEM, "no memory for the firmware %s", s->cfg->firmware);
	mem_deinit(&m);
	return rc;
}

/* Everything is loaded once QEMU's own reset is over; the files are looked at before it starts. */
static int guest_load(struct qemu_start *s, struct errtext *why)
{
	struct board_cpus cpus = { .n = s->cfg->cpus };
	struct mem *m = &s->q->mem;
	struct boot_arm64 boot;
	int rc;

	for (unsigned i = 0; i < cpus.n; i++)
		cpus.mpidr[i] = i;
	memset(s->q->ram, 0, MIN(s->q->ram_size, (uint64_t)QEMU_DTB_MAX));
	rc = boot_arm64_load(s->cfg, m, &boot, why);
	if (rc == 0)
		rc = arm64_fdt_write(s->cfg, &cpus, &boot, s->cfg->disk != NULL, 0, m, why);
	if (rc < 0)
		return rc;
	boot_arm64_regs(&boot, &s->regs.arm64);
	if (s->cfg->flat && s->cfg->flat_mode == VM_FLAT_EL2)
		s->regs.arm64.pstate += 1 << ARM64_PSTATE_EL_SHIFT;
	s->regs.have = ARCH_CORE;
	return 0;
}

static int prepare(struct qemu_start *s, struct errtext *why)
{
	return s->cfg->firmware ? firmware_load(s, why) : guest_load(s, why);
}

/* What the others look like while nobody has switched them on. */
static int asleep_note(struct qemu *q, unsigned vcpu)
{
	_cleanup_(strbuf_deinit) struct strbuf text = { 0 };
	int rc = qmp_monitor(&q->qmp, "info registers", vcpu, &text);

	if (rc < 0)
		return rc;
	q->asleep[vcpu] = strdup(strbuf_str(&text));
	return q->asleep[vcpu] ? 0 : -ENOMEM;
}

static int enter(struct qemu_start *s, struct target *t, struct errtext *why)
{
	struct arch_regs now = { 0 };
	int rc = 0;

	for (unsigned i = 1; i < t->nvcpus && rc == 0; i++)
		rc = asleep_note(s->q, i);
	if (rc == 0 && !s->cfg->firmware) {
		rc = guest_load(s, why);
		if (rc < 0)
			return rc;
		rc = target_regs_read(t, 0, ARCH_CORE, &now);
	}
	if (rc == 0 && !s->cfg->firmware) {
		s->regs.arm64.sp_absent = now.arm64.sp_absent;
		rc = target_regs_write(t, 0, ARCH_CORE, &s->regs);
	}
	return rc < 0 ? errtext_set(why, rc, "cannot set the guest's first registers: %s", strerror(-rc)) : 0;
}

static void regions(struct qemu *q, uint64_t rom_size)
{
	const struct target_region *mmio;
	unsigned n;

	qemu_region_add(q, ARM64_FLASH_AT, ARM64_FLASH_AT + rom_size, TARGET_ROM, "firmware");
	mmio = board_arm64.mmio(NULL, &n);
	for (unsigned i = 0; i < n; i++)
		q->region[q->nregions++] = mmio[i];
	qemu_region_add(q, MEM_ARM64_RAM, MEM_ARM64_RAM + q->ram_size, TARGET_RAM, "RAM");
}

const struct qemu_machine qemu_machine_arm64 = {
	.arch = &arch_arm64,
	.program = "qemu-system-aarch64",
	.package = "qemu-system-arm",
	.ram = &mem_layout_arm64,
	.hooks = &qemu_hooks_arm64,
	.args = qemu_args_arm64,
	.prepare = prepare,
	.regions = regions,
	.enter = enter,
};

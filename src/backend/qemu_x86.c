/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's machine "pc": what it needs before it starts, and the way to the guest's first instruction. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backend/flat_start.h"
#include "backend/qemu_start.h"
#include "vmm/boot.h"

enum {
	ENTRY_MS = 60000,       /* for the firmware to get to the guest's first instruction */
	SEABIOS_SIZE = 0x40000, /* QEMU's own firmware */
	ROM_ALIGN = 0x10000,    /* QEMU takes firmware in units of this */
};

/* Loaded by ourselves, and entered through a ROM that sets the state that our VMM would. */
static int flat_load(struct qemu_start *s, struct errtext *why)
{
	uint8_t *rom;
	int rc = boot_x86_load(s->cfg, &s->q->mem, GPA(0), &s->regs.x86, why);

	if (rc < 0)
		return rc;
	rom = malloc(FLAT_ROM_SIZE);
	rc = rom ? flat_rom_build(&s->regs.x86, rom) : -ENOMEM;
	if (rc == 0)
		s->theirs[QEMU_FD_ROM] = qemu_memfd_of("flat-start", rom, FLAT_ROM_SIZE);
	free(rom);
	if (rc < 0 || s->theirs[QEMU_FD_ROM] < 0)
		return errtext_set(why, rc < 0 ? rc : -errno, "cannot build the start of the flat guest");
	s->rom_size = FLAT_ROM_SIZE;
	s->run_to_entry = true;
	return 0;
}

static bool is_elf(const char *path)
{
	char magic[4] = "";
	FILE *f = fopen(path, "re");
	bool elf = f && fread(magic, 1, 4, f) == 4 &&
		   memcmp(magic,
			  "\x7f"
			  "ELF",
			  4) == 0;

	if (f)
		fclose(f);
	return elf;
}

/*
 * QEMU loads kernels itself, through its firmware. Our loader goes over the same files first, into memory that is
 * thrown away, for its checks and messages and because it knows the entry: the guest is shown from there on, as on KVM.
 */
static int kernel_check(struct qemu_start *s, struct errtext *why)
{
	struct mem m;
	int rc = mem_init(&m, &mem_layout_x86, s->cfg->mem_size, why);

	if (rc < 0)
		return rc;
	rc = boot_x86_load(s->cfg, &m, GPA(0), &s->regs.x86, why);
	mem_deinit(&m);
	if (rc == 0 && s->regs.x86.efer & X86_EFER_LMA && is_elf(s->cfg->kernel))
		return errtext_set(why, -ENOTSUP,
				   "%s is an ELF kernel without a PVH entry, which QEMU cannot start; use --accel kvm, "
				   "or a bzImage",
				   s->cfg->kernel);
	s->rom_size = SEABIOS_SIZE;
	s->run_to_entry = true;
	return rc;
}

/* The firmware as our own VMM would map it, filled up at the front to what QEMU takes. */
static int firmware_load(struct qemu_start *s, struct errtext *why)
{
	struct mem m;
	uint8_t *rom = NULL;
	int rc;

	if (boot_x86_is_cloudhv(s->cfg))
		return errtext_set(why, -ENOTSUP,
				   "the firmware %s is an ELF file, which QEMU cannot start; use --accel kvm",
				   s->cfg->firmware);
	rc = mem_init(&m, &mem_layout_x86, s->cfg->mem_size, why);

	if (rc < 0)
		return rc;
	rc = boot_x86_load(s->cfg, &m, GPA(0), &s->regs.x86, why);
	for (unsigned i = 0; i < m.nslots && rc == 0 && !rom; i++) {
		const struct kvm_slot *slot = &m.slot[i];

		if (slot->start.raw + slot->size != MEM_HOLE_END || !slot->rom)
			continue;
		s->rom_size = (slot->size + ROM_ALIGN - 1) / ROM_ALIGN * ROM_ALIGN;
		rom = malloc(s->rom_size);
		if (!rom)
			break;
		memset(rom, 0xff, s->rom_size);
		memcpy(rom + s->rom_size - slot->size, slot->hva, slot->size);
		s->theirs[QEMU_FD_ROM] = qemu_memfd_of("firmware", rom, s->rom_size);
	}
	if (rc == 0 && s->theirs[QEMU_FD_ROM] < 0)
		rc = errtext_set(why, -ENOMEM, "no memory for the firmware %s", s->cfg->firmware);
	free(rom);
	mem_deinit(&m);
	return rc;
}

static int prepare(struct qemu_start *s, struct errtext *why)
{
	if (s->cfg->flat)
		return flat_load(s, why);
	return s->cfg->kernel ? kernel_check(s, why) : firmware_load(s, why);
}

/* ---- to the first instruction ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static int stop_wait(struct target *t, int timeout_ms, struct stop_event *ev)
{
	int64_t end = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = target_event_fd(t), .events = POLLIN };
		int64_t left = end - now_ms();
		int rc = target_next_stop(t, ev);

		if (rc != -EAGAIN)
			return rc;
		if (left <= 0)
			return -ETIMEDOUT;
		poll(&p, 1, (int)left);
	}
}

/* Lets the firmware run up to the guest's first instruction. */
static int entry_reach(struct target *t, gva entry, struct errtext *why)
{
	struct target_break at = { .kind = TARGET_BREAK_HW, .at = entry, .len = 1 };
	struct resume_plan plan = { 0 };
	struct stop_event ev;
	int rc;

	for (unsigned i = 0; i < t->nvcpus; i++)
		plan.vcpu[i].action = TARGET_RUN;
	rc = target_breaks_set(t, &at, 1);
	if (rc == 0)
		rc = target_resume(t, &plan);
	if (rc == 0)
		rc = stop_wait(t, ENTRY_MS, &ev);
	if (rc == -ETIMEDOUT)
		return errtext_set(why, -EPROTO,
				   "the guest did not get to its first instruction at %#" PRIx64 " within %d s",
				   entry.raw, ENTRY_MS / 1000);
	if (rc < 0)
		return errtext_set(why, rc, "cannot run QEMU's firmware: %s", strerror(-rc));
	if (ev.why != STOP_HWBREAK || ev.pc.raw != entry.raw)
		return errtext_set(why, -EPROTO, "the guest ended before its first instruction (%s): %s",
				   stop_why_text(ev.why), ev.text);
	return target_breaks_set(t, NULL, 0);
}

static int enter(struct qemu_start *s, struct target *t, struct errtext *why)
{
	int rc;

	if (!s->run_to_entry)
		return 0;
	rc = entry_reach(t, GVA(s->regs.x86.seg[X86_CS].base + s->regs.x86.rip), why);
	// The firmware's registers are the kernel's protocol; a flat guest gets clean ones.
	s->regs.have = ARCH_CORE | ARCH_SYS;
	if (rc == 0 && s->cfg->flat)
		rc = target_regs_write(t, 0, ARCH_CORE, &s->regs);
	return rc;
}

/*
 * Left out: the local APICs, which answer only their own processor, and PCI devices, whose place the guest decides.
 * 0xc0000-0xfffff is ROM or RAM as the guest switches it, so it is asked from QEMU and not read from the mapping.
 */
static void regions(struct qemu *q, uint64_t rom_size)
{
	const uint64_t low = q->mem.slot[0].size, high = q->ram_size - low;

	qemu_region_add(q, 0, MIN(low, 0xc0000), TARGET_RAM, "RAM");
	qemu_region_add(q, 0xc0000, 0x100000, TARGET_ROM, "firmware (shadow)");
	qemu_region_add(q, 0x100000, low, TARGET_RAM, "RAM");
	qemu_region_add(q, 0xfec00000, 0xfec01000, TARGET_MMIO, "I/O APIC");
	qemu_region_add(q, 0xfed00000, 0xfed00400, TARGET_MMIO, "HPET");
	qemu_region_add(q, 0x100000000 - rom_size, 0x100000000, TARGET_ROM, "firmware");
	qemu_region_add(q, 0x100000000, 0x100000000 + high, TARGET_RAM, "RAM");
}

const struct qemu_machine qemu_machine_x86 = {
	.arch = &arch_x86,
	.program = "qemu-system-x86_64",
	.package = "qemu-system-x86",
	.ram = &mem_layout_x86,
	.hooks = &qemu_hooks_x86,
	.args = qemu_args_x86,
	.prepare = prepare,
	.regions = regions,
	.enter = enter,
};

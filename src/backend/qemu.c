/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "backend/flat_start.h"
#include "backend/qemu_args.h"
#include "backend/rsp.h"
#define LOG_ROOM LOG_BACKEND
#include "util/log.h"
#include "vmm/boot.h"

enum {
	ENTRY_MS = 60000,       /* for the firmware to get to the guest's first instruction */
	SEABIOS_SIZE = 0x40000, /* QEMU's own firmware */
	ROM_ALIGN = 0x10000,    /* QEMU takes firmware in units of this */
};

/* What is set up before QEMU starts. */
struct start {
	struct qemu *q;
	const struct vm_cfg *cfg;
	int theirs[QEMU_NFDS]; /* indexed by QEMU_FD_ */
	int ours[3];           /* other ends of gdb, qmp, serial */
	struct x86_regs regs;  /* of vCPU 0 at the guest's first instruction */
	bool run_to_entry;     /* the first instruction is not at the reset vector */
	uint64_t rom_size;
};

static void start_deinit(struct start *s)
{
	for (unsigned i = 0; i < QEMU_NFDS; i++)
		closep(&s->theirs[i]);
	for (unsigned i = 0; i < ARRAY_LEN(s->ours); i++)
		closep(&s->ours[i]);
	qemu_destroy(s->q);
}

static int memfd_new(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		return fd;
	closep(&fd);
	return -1;
}

static int memfd_of(const char *name, const void *p, size_t n)
{
	int fd = memfd_new(name, 0);

	for (size_t at = 0; fd >= 0 && at < n;) {
		ssize_t k = write(fd, (const char *)p + at, n - at);

		if (k < 0) {
			close(fd);
			return -1;
		}
		at += (size_t)k;
	}
	return fd;
}

static int channels_open(struct start *s)
{
	struct qemu *q = s->q;
	uint64_t size = s->cfg->mem_size;

	for (unsigned i = 0; i < ARRAY_LEN(s->ours); i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		s->theirs[QEMU_FD_GDB + i] = pair[0];
		s->ours[i] = pair[1];
	}
	s->theirs[QEMU_FD_RAM] = memfd_new("guest-ram", size);
	s->theirs[QEMU_FD_LOG] = memfd_new("qemu-log", 0);
	if (s->theirs[QEMU_FD_RAM] < 0 || s->theirs[QEMU_FD_LOG] < 0)
		return -errno;
	q->log_fd = fcntl(s->theirs[QEMU_FD_LOG], F_DUPFD_CLOEXEC, 0);
	q->ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->theirs[QEMU_FD_RAM], 0);
	if (q->ram == MAP_FAILED)
		q->ram = NULL;
	if (!q->ram || q->log_fd < 0)
		return -errno;
	q->ram_size = size;
	q->ram_low = MIN(size, MEM_HOLE_START);
	return 0;
}

/* ---- what the guest starts with ---- */

/* The guest's RAM as our loaders see it. */
static struct mem ram_view(struct qemu *q)
{
	struct mem m = { .ram_size = q->ram_size };

	m.slot[m.nslots++] = (struct kvm_slot){ .start = GPA(0), .size = q->ram_low, .hva = q->ram };
	if (q->ram_size > q->ram_low)
		m.slot[m.nslots++] = (struct kvm_slot){ .start = GPA(MEM_HOLE_END),
							.size = q->ram_size - q->ram_low,
							.hva = q->ram + q->ram_low };
	return m;
}

/* Loaded by ourselves, and entered through a ROM that sets the state that our VMM would. */
static int flat_load(struct start *s, struct errtext *why)
{
	struct mem m = ram_view(s->q);
	uint8_t *rom;
	int rc = boot_x86_load(s->cfg, &m, GPA(0), &s->regs, why);

	if (rc < 0)
		return rc;
	rom = malloc(FLAT_ROM_SIZE);
	rc = rom ? flat_rom_build(&s->regs, rom) : -ENOMEM;
	if (rc == 0)
		s->theirs[QEMU_FD_ROM] = memfd_of("flat-start", rom, FLAT_ROM_SIZE);
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
static int kernel_check(struct start *s, struct errtext *why)
{
	struct mem m;
	int rc = mem_init(&m, &mem_layout_x86, s->cfg->mem_size, why);

	if (rc < 0)
		return rc;
	rc = boot_x86_load(s->cfg, &m, GPA(0), &s->regs, why);
	mem_deinit(&m);
	if (rc == 0 && s->regs.efer & X86_EFER_LMA && is_elf(s->cfg->kernel))
		return errtext_set(why, -ENOTSUP,
				   "%s is an ELF kernel without a PVH entry, which QEMU cannot start; use --accel kvm, "
				   "or a bzImage",
				   s->cfg->kernel);
	s->rom_size = SEABIOS_SIZE;
	s->run_to_entry = true;
	return rc;
}

/* The firmware as our own VMM would map it, filled up at the front to what QEMU takes. */
static int firmware_load(struct start *s, struct errtext *why)
{
	struct mem m;
	uint8_t *rom = NULL;
	int rc = mem_init(&m, &mem_layout_x86, s->cfg->mem_size, why);

	if (rc < 0)
		return rc;
	rc = boot_x86_load(s->cfg, &m, GPA(0), &s->regs, why);
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
		s->theirs[QEMU_FD_ROM] = memfd_of("firmware", rom, s->rom_size);
	}
	if (rc == 0 && s->theirs[QEMU_FD_ROM] < 0)
		rc = errtext_set(why, -ENOMEM, "no memory for the firmware %s", s->cfg->firmware);
	free(rom);
	mem_deinit(&m);
	return rc;
}

static int guest_prepare(struct start *s, struct errtext *why)
{
	if (s->cfg->disk && access(s->cfg->disk, R_OK) < 0)
		return errtext_set(why, -errno, "cannot read the disk %s: %s", s->cfg->disk, strerror(errno));
	if (s->cfg->flat)
		return flat_load(s, why);
	return s->cfg->kernel ? kernel_check(s, why) : firmware_load(s, why);
}

/* ---- starting ---- */

static int qemu_start(struct start *s, struct errtext *why)
{
	_cleanup_(args_deinit) struct args a = { 0 };
	const char *chosen = getenv("GDBVM_QEMU"), *program = chosen && *chosen ? chosen : "qemu-system-x86_64";
	int inherited[QEMU_NFDS];
	unsigned n = 0;
	int rc;

	for (unsigned i = 0; i < QEMU_NFDS; i++) {
		if (s->theirs[i] >= 0)
			inherited[n++] = s->theirs[i];
	}
	qemu_args_build(&a, program, s->cfg, s->theirs);
	rc = a.oom ? -ENOMEM : child_start(&s->q->child, a.v, inherited, n);
	if (rc == -ENOENT && program != chosen)
		return errtext_set(
			why, -ENODEV,
			"there is no %s in PATH: install the package qemu-system-x86, or name a QEMU in GDBVM_QEMU",
			program);
	if (rc < 0)
		return errtext_set(why, rc, "cannot start %s%s: %s", program,
				   program == chosen ? " (from GDBVM_QEMU)" : "", strerror(-rc));
	for (unsigned i = 0; i < QEMU_NFDS; i++) { // or its end would never show as a hang-up
		closep(&s->theirs[i]);
		s->theirs[i] = -1;
	}
	return 0;
}

/* When a conversation with QEMU failed because it ended, that is what to say. */
static int gone_or(struct qemu *q, int rc, struct errtext *why)
{
	char text[400];

	if (rc != -EPIPE)
		return rc;
	qemu_gone_text(q, text, sizeof(text));
	return errtext_set(why, -EPROTO, "%s", text);
}

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

static int entry_run(struct start *s, struct target *t, struct errtext *why)
{
	struct arch_regs r = { .have = ARCH_CORE | ARCH_SYS, .x86 = s->regs };
	int rc = entry_reach(t, GVA(s->regs.seg[X86_CS].base + s->regs.rip), why);

	// The firmware's registers are the kernel's protocol; a flat guest gets clean ones.
	if (rc == 0 && s->cfg->flat)
		rc = target_regs_write(t, 0, ARCH_CORE, &r);
	return rc;
}

static int qemu_connect(struct start *s, struct target **ret, struct errtext *why)
{
	struct qemu *q = s->q;
	_cleanup_(target_destroyp) struct target *t = NULL;
	int rc = qmp_open(&q->qmp, s->ours[QEMU_FD_QMP], qemu_on_event, q, why);

	s->ours[QEMU_FD_QMP] = -1;
	if (rc == 0) {
		rc = backend_rsp_create(s->ours[QEMU_FD_GDB], &qemu_hooks, q, &t, why);
		s->ours[QEMU_FD_GDB] = -1;
	}
	if (rc < 0)
		return gone_or(q, rc, why);
	s->q = NULL; // the target's now
	if (t->nvcpus != s->cfg->cpus)
		return errtext_set(why, -EPROTO, "QEMU made %u vCPUs, not %u", t->nvcpus, s->cfg->cpus);
	rc = s->run_to_entry ? entry_run(s, t, why) : 0;
	if (rc == 0)
		*ret = take_ptr(t);
	return rc;
}

int backend_qemu_create(const struct vm_cfg *cfg, struct target **ret, int *serial_fd, struct errtext *why)
{
	_cleanup_(start_deinit) struct start s = { .cfg = cfg, .ours = { -1, -1, -1 } };
	int rc;

	memset(s.theirs, 0xff, sizeof(s.theirs));
	s.q = calloc(1, sizeof(*s.q));
	if (!s.q)
		return errtext_set(why, -ENOMEM, "out of memory");
	s.q->log_fd = s.q->qmp.fd = -1;
	s.q->nvcpus = cfg->cpus;
	rc = channels_open(&s);
	if (rc < 0)
		return errtext_set(why, rc, "no memory for a guest of %" PRIu64 " MiB: %s", cfg->mem_size >> 20,
				   strerror(-rc));
	rc = guest_prepare(&s, why);
	if (rc < 0)
		return rc;
	qemu_regions_fill(s.q, s.rom_size);
	rc = qemu_start(&s, why);
	if (rc == 0)
		rc = qemu_connect(&s, ret, why);
	if (rc < 0)
		return rc;
	*serial_fd = s.ours[QEMU_FD_SERIAL];
	s.ours[QEMU_FD_SERIAL] = -1;
	return 0;
}

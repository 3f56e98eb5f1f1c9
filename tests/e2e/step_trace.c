/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps a flat 64-bit guest and writes what its registers are after each step; compares two such files.
 *
 *	step_trace kvm|tcg x86|arm64 IMAGE STEPS FILE
 *	step_trace compare x86|arm64 FILE FILE
 *
 * A record: a mask of 8 bytes, one bit for each word that differs from the record before, then those words.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arch/arm64_step.h"
#include "backend/backend.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { STOP_MS = 60000, GUEST_RAM = 16 << 20, MAX_WORDS = 64 };

struct record {
	uint64_t w[MAX_WORDS];
};

/* What of a vCPU is compared. */
struct subject {
	const char *name;
	const struct arch *arch;
	enum vm_flat_mode mode;
	uint64_t at;
	uint32_t groups;
	const char *const *words;
	unsigned nwords, pc, code, code_bytes;
	uint64_t unknown; /* words that a reset leaves as it likes */
	void (*fill)(const struct arch_regs *r, struct record *out);
	/* Does TCG not end a step over this instruction? Then pc is moved behind it. */
	bool (*is_wait)(const struct record *r);
	/* Does this instruction begin a sequence that KVM runs as one step? NULL: there is none. */
	bool (*is_unit)(const struct record *r);
	/* Words that differ between machines after this instruction, until they are equal again. */
	uint64_t (*taints)(const struct record *r);
};

/* ---- x86 ---- */

enum { X_RIP = X86_NGPR, X_FLAGS, X_CS_SS, X_DS_ES, X_FS_GS, X_CR2, X_CODE, X_NWORDS };

static const char *const x86_words[X_NWORDS] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi",    "rbp",    "rsp",    "r8",     "r9",  "r10",  "r11",
	"r12", "r13", "r14", "r15", "rip", "rflags", "cs, ss", "ds, es", "fs, gs", "cr2", "code",
};

static void x86_fill(const struct arch_regs *r, struct record *out)
{
	const struct x86_regs *x = &r->x86;

	memcpy(out->w, x->gpr, sizeof(x->gpr));
	out->w[X_RIP] = x->rip;
	/* The resume flag is set between the iterations of a string instruction, and stored by a fault; not in TCG. */
	out->w[X_FLAGS] = x->rflags & ~(uint64_t)X86_RFLAGS_RF;
	out->w[X_CS_SS] = x->seg[X86_CS].sel | (uint64_t)x->seg[X86_SS].sel << 32;
	out->w[X_DS_ES] = x->seg[X86_DS].sel | (uint64_t)x->seg[X86_ES].sel << 32;
	out->w[X_FS_GS] = x->seg[X86_FS].sel | (uint64_t)x->seg[X86_GS].sel << 32;
	out->w[X_CR2] = x->cr2;
}

/* hlt: nothing wakes the vCPU while interrupts are held back. */
static bool x86_is_wait(const struct record *r)
{
	return (uint8_t)r->w[X_CODE] == 0xf4 && !(r->w[X_CS_SS] & 3);
}

static uint64_t x86_taints(const struct record *r)
{
	const bool is_cpuid = (r->w[X_CODE] & 0xffff) == 0xa20f;

	return is_cpuid ? BIT(X86_RAX) | BIT(X86_RBX) | BIT(X86_RCX) | BIT(X86_RDX) : 0;
}

/* ---- arm64 ---- */

#define LDR_W0_X1 0xb9400020u
#define UART_FR 0x09000018u
enum { A_SP = 31, A_PC, A_PSTATE, A_NZCV, A_ELR, A_SPSR, A_ESR, A_FAR, A_CODE, A_NWORDS };

static const char *const arm64_words[A_NWORDS] = {
	"x0",  "x1",  "x2",  "x3",  "x4",  "x5",     "x6",   "x7",  "x8",   "x9",  "x10", "x11",  "x12", "x13",
	"x14", "x15", "x16", "x17", "x18", "x19",    "x20",  "x21", "x22",  "x23", "x24", "x25",  "x26", "x27",
	"x28", "x29", "x30", "sp",  "pc",  "pstate", "nzcv", "elr", "spsr", "esr", "far", "code",
};

#define NZCV (UINT64_C(0xf) << 28)

static void arm64_fill(const struct arch_regs *r, struct record *out)
{
	const struct arm64_regs *a = &r->arm64;
	const unsigned el = a->pstate >> ARM64_PSTATE_EL_SHIFT & 3;

	memcpy(out->w, a->x, sizeof(a->x));
	out->w[A_SP] = a->sp[a->pstate & ARM64_PSTATE_SP ? el : ARM64_SP_EL0];
	out->w[A_PC] = a->pc;
	out->w[A_PSTATE] = a->pstate & ~NZCV;
	out->w[A_NZCV] = a->pstate & NZCV;
	out->w[A_ELR] = a->sys[ARM64_ELR_EL1];
	out->w[A_SPSR] = a->sys[ARM64_SPSR_EL1];
	out->w[A_ESR] = a->sys[ARM64_ESR_EL1];
	out->w[A_FAR] = a->sys[ARM64_FAR_EL1];
}

static bool arm64_is_wait(const struct record *r)
{
	return false; // at EL0 wfi is trapped, and the guest does none at EL1
}

/*
 * What PSCI answers, and what the modem lines of the serial port are. And an exception leaves the flags alone, but TCG
 * clears them: a BRK of the guest that is given back does not come from there.
 */
static uint64_t arm64_taints(const struct record *r)
{
	if ((uint32_t)r->w[A_CODE] == LDR_W0_X1 && r->w[1] == UART_FR)
		return 1;
	switch (r->w[A_CODE] & 0xffe0001f) {
	case 0xd4000002: // hvc
		return 0xf;
	case 0xd4200000: // brk
		return BIT64(A_NZCV);
	default:
		return 0;
	}
}

static bool arm64_is_unit(const struct record *r)
{
	struct arm64_insn insn;

	arm64_insn_decode((uint32_t)r->w[A_CODE], &insn);
	return insn.kind == ARM64_INSN_LOAD_EXCL;
}

static const struct subject subjects[] = {
	{ "x86", &arch_x86, VM_FLAT_LONG, 0x100000, ARCH_CORE | ARCH_SYS, x86_words, X_NWORDS, X_RIP, X_CODE, 8, 0,
	  x86_fill, x86_is_wait, NULL, x86_taints },
	{ "arm64", &arch_arm64, VM_FLAT_EL1, 0x40100000, ARCH_CORE | ARCH_MSR, arm64_words, A_NWORDS, A_PC, A_CODE, 4,
	  BIT64(A_ELR) | BIT64(A_SPSR) | BIT64(A_ESR) | BIT64(A_FAR), arm64_fill, arm64_is_wait, arm64_is_unit,
	  arm64_taints },
};

/* ---- recording ---- */

static void fail(const char *what, int rc)
{
	fprintf(stderr, "step_trace: error: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static struct target *start(const struct subject *s, bool kvm, const char *image)
{
	const struct vm_cfg cfg = { .arch = s->arch,
				    .cpus = 1,
				    .mem_size = GUEST_RAM,
				    .params = "",
				    .flat = image,
				    .flat_addr = s->at,
				    .flat_mode = s->mode };
	struct errtext why = { "" };
	struct target *t = NULL;
	struct vm *m = NULL;
	int serial, rc;

	rc = kvm ? vm_open(&cfg, &m, &why) : backend_qemu_create(&cfg, &t, &serial, &why);
	if (rc >= 0 && kvm)
		rc = backend_kvm_create(m, &t, &why);
	if (rc < 0)
		fail(why.text, rc);
	return t;
}

static void look(const struct subject *s, struct target *t, struct record *out)
{
	struct arch_regs r = { 0 };
	uint8_t code[8] = { 0 };
	size_t done;
	int rc = target_regs_read(t, 0, s->groups, &r);

	if (rc < 0)
		fail("registers", rc);
	s->fill(&r, out);
	target_mem_read(t, GPA(out->w[s->pc]), code, s->code_bytes, &done); // the guest maps its code to itself
	out->w[s->code] = ld_le64(code);
}

static struct stop_event step(struct target *t)
{
	struct resume_plan plan = { .vcpu[0].action = TARGET_STEP };
	struct pollfd p = { .fd = target_event_fd(t), .events = POLLIN };
	struct stop_event ev;
	int rc = target_resume(t, &plan);

	while (rc == 0 && (rc = target_next_stop(t, &ev)) == -EAGAIN)
		rc = poll(&p, 1, STOP_MS) == 1 ? 0 : -ETIMEDOUT;
	if (rc < 0)
		fail("step", rc);
	return ev;
}

/* QEMU's TCG does not end a step over an instruction that waits. */
static bool over_wait(const struct subject *s, struct target *t, const struct record *r, bool kvm)
{
	struct arch_regs regs = { 0 };

	if (kvm || !s->is_wait(r) || target_regs_read(t, 0, ARCH_CORE, &regs) < 0)
		return false;
	regs.x86.rip++;
	return target_regs_write(t, 0, ARCH_CORE, &regs) == 0;
}

static void put(FILE *f, const struct record *last, const struct record *now)
{
	uint8_t b[8 + 8 * MAX_WORDS];
	size_t n = 8;
	uint64_t mask = 0;

	for (unsigned i = 0; i < MAX_WORDS; i++) {
		if (last->w[i] == now->w[i])
			continue;
		mask |= BIT64(i);
		st_le64(b + n, now->w[i]);
		n += 8;
	}
	st_le64(b, mask);
	fwrite(b, 1, n, f);
}

static int record(const struct subject *s, bool kvm, const char *image, unsigned long steps, const char *path)
{
	struct target *t = start(s, kvm, image);
	struct record last = { 0 }, now = { 0 };
	FILE *f = fopen(path, "w");
	struct timespec a, b;

	if (!f)
		fail(path, -errno);
	look(s, t, &now);
	put(f, &last, &now);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned long i = 0; i < steps; i++) {
		struct stop_event ev = { .why = STOP_STEP };

		if (!over_wait(s, t, &now, kvm))
			ev = step(t);
		if (ev.why != STOP_STEP) {
			fprintf(stderr, "step_trace: error: step %lu ended with %s at %#" PRIx64 " %s\n", i,
				stop_why_text(ev.why), ev.pc.raw, ev.text);
			exit(1);
		}
		last = now;
		look(s, t, &now);
		put(f, &last, &now);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	fprintf(stderr, "step_trace: %lu steps, %.0f a second\n", steps,
		(double)steps / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	target_destroy(t);
	return fclose(f) ? 1 : 0;
}

/* ---- comparing ---- */

static bool get(FILE *f, struct record *r)
{
	uint8_t b[8];
	uint64_t mask;

	if (fread(b, 1, 8, f) != 8)
		return false;
	mask = ld_le64(b);
	for (unsigned i = 0; i < MAX_WORDS; i++) {
		if (!(mask & BIT64(i)))
			continue;
		if (fread(b, 1, 8, f) != 8)
			return false;
		r->w[i] = ld_le64(b);
	}
	return true;
}

static unsigned differ(const struct record *a, const struct record *b, uint64_t *tainted)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_WORDS; i++) {
		if (a->w[i] == b->w[i])
			*tainted &= ~BIT64(i);
		else if (!(*tainted & BIT64(i)))
			n++;
	}
	return n;
}

static void show(const struct subject *s, const char *path, const struct record *r)
{
	printf("%s:\n", path);
	for (unsigned i = 0; i < s->nwords; i++)
		printf("  %s %#" PRIx64 "%s", s->words[i], r->w[i], i % 6 == 5 ? "\n" : "");
	printf("\n");
}

/* One step of KVM's, which may be several of TCG's. */
static bool get_step(const struct subject *s, FILE *f, const struct record *before, const struct record *other,
		     struct record *r)
{
	const bool unit = s->is_unit && s->is_unit(before);
	bool has = get(f, r);

	for (unsigned i = 0; unit && has && i < ARM64_EXCL_INSNS && r->w[s->pc] != other->w[s->pc]; i++)
		has = get(f, r);
	return has;
}

/* @path_a: KVM's. */
static int compare(const struct subject *s, const char *path_a, const char *path_b)
{
	FILE *fa = fopen(path_a, "r"), *fb = fopen(path_b, "r");
	struct record a = { 0 }, b = { 0 }, before;
	uint64_t tainted = s->unknown;
	unsigned long n = 0;

	if (!fa || !fb)
		fail("open", -errno);
	for (;; n++) {
		bool has_a, has_b;

		before = a;
		if (n)
			tainted |= s->taints(&a);
		has_a = get(fa, &a);
		has_b = n ? get_step(s, fb, &before, &a, &b) : get(fb, &b);
		if (!has_a || !has_b) {
			printf("%lu records are the same; at last:\n", n);
			show(s, path_a, &a);
			return (has_a == has_b || s->is_unit) && n > 1 ? 0 : 1;
		}
		if (differ(&a, &b, &tainted)) {
			printf("step %lu differs, before it:\n", n);
			show(s, "both", &before);
			show(s, path_a, &a);
			show(s, path_b, &b);
			return 1;
		}
	}
}

static const struct subject *subject_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(subjects); i++)
		if (strcmp(name, subjects[i].name) == 0)
			return &subjects[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct subject *s = argc > 2 ? subject_find(argv[2]) : NULL;

	if (s && argc == 6 && (!strcmp(argv[1], "kvm") || !strcmp(argv[1], "tcg")))
		return record(s, argv[1][0] == 'k', argv[3], strtoul(argv[4], NULL, 10), argv[5]);
	if (s && argc == 5 && !strcmp(argv[1], "compare"))
		return compare(s, argv[3], argv[4]);
	fprintf(stderr,
		"usage: step_trace kvm|tcg x86|arm64 IMAGE STEPS FILE | step_trace compare x86|arm64 FILE FILE\n");
	return 2;
}

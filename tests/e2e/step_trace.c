/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps a flat 64-bit guest and writes what its registers are after each step; compares two such files.
 *
 *	step_trace kvm|tcg IMAGE STEPS FILE
 *	step_trace compare FILE FILE
 *
 * A record: a mask of 4 bytes, one bit for each word that differs from the record before, then those words.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "util/bytes.h"
#include "util/macros.h"

enum { CODE_BYTES = 8, STOP_MS = 60000, GUEST_AT = 0x100000, GUEST_RAM = 16 << 20 };
enum { W_RIP = X86_NGPR, W_FLAGS, W_CS_SS, W_DS_ES, W_FS_GS, W_CR2, W_CODE, NWORDS };

static const char *const names[NWORDS] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi",    "rbp",    "rsp",    "r8",     "r9",  "r10",  "r11",
	"r12", "r13", "r14", "r15", "rip", "rflags", "cs, ss", "ds, es", "fs, gs", "cr2", "code",
};

struct record {
	uint64_t w[NWORDS];
};

/* ---- recording ---- */

static void fail(const char *what, int rc)
{
	fprintf(stderr, "step_trace: error: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static struct target *start(bool kvm, const char *image)
{
	const struct vm_cfg cfg = { .cpus = 1,
				    .mem_size = GUEST_RAM,
				    .params = "",
				    .flat = image,
				    .flat_addr = GUEST_AT,
				    .flat_mode = VM_FLAT_LONG };
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

static void look(struct target *t, struct record *out)
{
	struct arch_regs r = { 0 };
	const struct x86_regs *x = &r.x86;
	uint8_t code[CODE_BYTES] = { 0 };
	size_t done;
	int rc = target_regs_read(t, 0, ARCH_CORE | ARCH_SYS, &r);

	if (rc < 0)
		fail("registers", rc);
	memcpy(out->w, x->gpr, sizeof(x->gpr));
	out->w[W_RIP] = x->rip;
	/* The resume flag is set between the iterations of a string instruction, and stored by a fault; not in TCG. */
	out->w[W_FLAGS] = x->rflags & ~(uint64_t)X86_RFLAGS_RF;
	out->w[W_CS_SS] = x->seg[X86_CS].sel | (uint64_t)x->seg[X86_SS].sel << 32;
	out->w[W_DS_ES] = x->seg[X86_DS].sel | (uint64_t)x->seg[X86_ES].sel << 32;
	out->w[W_FS_GS] = x->seg[X86_FS].sel | (uint64_t)x->seg[X86_GS].sel << 32;
	out->w[W_CR2] = x->cr2;
	target_mem_read(t, GPA(x->rip), code, sizeof(code), &done); // the guest maps its code to itself
	out->w[W_CODE] = ld_le64(code);
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

/* QEMU's TCG does not end a step over hlt: nothing wakes the vCPU while interrupts are held back. */
static bool over_hlt(struct target *t, const struct record *r, bool kvm)
{
	struct arch_regs regs = { 0 };

	if (kvm || (uint8_t)r->w[W_CODE] != 0xf4 || r->w[W_CS_SS] & 3)
		return false;
	if (target_regs_read(t, 0, ARCH_CORE, &regs) < 0)
		return false;
	regs.x86.rip++;
	return target_regs_write(t, 0, ARCH_CORE, &regs) == 0;
}

static void put(FILE *f, const struct record *last, const struct record *now)
{
	uint8_t b[4 + 8 * NWORDS];
	size_t n = 4;
	uint32_t mask = 0;

	for (unsigned i = 0; i < NWORDS; i++) {
		if (last->w[i] == now->w[i])
			continue;
		mask |= BIT(i);
		st_le64(b + n, now->w[i]);
		n += 8;
	}
	st_le32(b, mask);
	fwrite(b, 1, n, f);
}

static int record(bool kvm, const char *image, unsigned long steps, const char *path)
{
	struct target *t = start(kvm, image);
	struct record last = { 0 }, now;
	FILE *f = fopen(path, "w");
	struct timespec a, b;

	if (!f)
		fail(path, -errno);
	look(t, &now);
	put(f, &last, &now);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned long i = 0; i < steps; i++) {
		struct stop_event ev = { .why = STOP_STEP };

		if (!over_hlt(t, &now, kvm))
			ev = step(t);
		if (ev.why != STOP_STEP) {
			fprintf(stderr, "step_trace: error: step %lu ended with %s at %#" PRIx64 " %s\n", i,
				stop_why_text(ev.why), ev.pc.raw, ev.text);
			exit(1);
		}
		last = now;
		look(t, &now);
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
	uint32_t mask;

	if (fread(b, 1, 4, f) != 4)
		return false;
	mask = ld_le32(b);
	for (unsigned i = 0; i < NWORDS; i++) {
		if (!(mask & BIT(i)))
			continue;
		if (fread(b, 1, 8, f) != 8)
			return false;
		r->w[i] = ld_le64(b);
	}
	return true;
}

static bool is_cpuid(const struct record *r)
{
	return (r->w[W_CODE] & 0xffff) == 0xa20f;
}

/* What cpuid says differs between the machines: these may differ until they are equal again. */
static unsigned differ(const struct record *a, const struct record *b, uint32_t *tainted)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NWORDS; i++) {
		if (a->w[i] == b->w[i])
			*tainted &= ~BIT(i);
		else if (!(*tainted & BIT(i)))
			n++;
	}
	return n;
}

static void show(const char *path, const struct record *r)
{
	printf("%s:\n", path);
	for (unsigned i = 0; i < NWORDS; i++)
		printf("  %s %#" PRIx64 "%s", names[i], r->w[i], i % 6 == 5 ? "\n" : "");
	printf("\n");
}

static int compare(const char *path_a, const char *path_b)
{
	FILE *fa = fopen(path_a, "r"), *fb = fopen(path_b, "r");
	struct record a = { 0 }, b = { 0 }, before;
	uint32_t tainted = 0;
	unsigned long n = 0;

	if (!fa || !fb)
		fail("open", -errno);
	for (;; n++) {
		bool has_a, has_b;

		before = a;
		if (n && is_cpuid(&a))
			tainted |= BIT(X86_RAX) | BIT(X86_RBX) | BIT(X86_RCX) | BIT(X86_RDX);
		has_a = get(fa, &a);
		has_b = get(fb, &b);
		if (!has_a || !has_b) {
			printf("%lu records are the same\n", n);
			return has_a == has_b && n > 1 ? 0 : 1;
		}
		if (differ(&a, &b, &tainted)) {
			printf("step %lu differs, before it:\n", n);
			show("both", &before);
			show(path_a, &a);
			show(path_b, &b);
			return 1;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 5 && (!strcmp(argv[1], "kvm") || !strcmp(argv[1], "tcg")))
		return record(argv[1][0] == 'k', argv[2], strtoul(argv[3], NULL, 10), argv[4]);
	if (argc == 4 && !strcmp(argv[1], "compare"))
		return compare(argv[2], argv[3]);
	fprintf(stderr, "usage: step_trace kvm|tcg IMAGE STEPS FILE | step_trace compare FILE FILE\n");
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "vmm/boot.h"

enum {
	OPT_FIRMWARE = 0x100,
	OPT_NVRAM,
	OPT_MACHINE,
	OPT_FLAT,
	OPT_FLAT_MODE,
	OPT_GDB,
	OPT_GDB_WAIT,
	OPT_ACCEL,
	OPT_ARCH,
	OPT_CONSOLE,
	OPT_CHECKPOINTS,
	OPT_CHECKPOINT_LIMIT,
	OPT_CHECKPOINT_MAP,
	OPT_EXPECT,
	OPT_BOOT_TIMEOUT,
	OPT_JUNIT,
	OPT_METRICS,
	OPT_DEBUG_MMIO,
	OPT_CHECKPOINT_MODE,
	OPT_DEBUG_PORT,
};

// clang-format off
static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "What to run (one of -k, --firmware, --flat):", 1 },
	{ "kernel", 'k', "FILE", 0, "Linux: x86 bzImage, or ELF vmlinux with a PVH note or a 64-bit entry; arm64 Image, also gzip'd", 1 },
	{ "initrd", 'i', "FILE", 0, "initial RAM disk for the kernel", 1 },
	{ "params", 'p', "TEXT", 0, "kernel command line", 1 },
	{ "firmware", OPT_FIRMWARE, "FILE", 0, "firmware image, mapped to end at 4 GiB (x86) or to start at 0 (arm64)", 1 },
	{ "nvram", OPT_NVRAM, "FILE", 0, "flash memory below the firmware, for its variables (x86, KVM)", 1 },
	{ "flat", OPT_FLAT, "FILE@ADDR", 0, "raw code, loaded and started at ADDR", 1 },
	{ "flat-mode", OPT_FLAT_MODE, "MODE", 0, "start --flat in: x86 real (default) or long mode, identity-mapped; arm64 el1 (default) or el2", 1 },
	{ NULL, 0, NULL, 0, "The machine:", 2 },
	{ "cpus", 'c', "N", 0, "vCPUs, 1 to 16 (default 1; on KVM with a GICv2 8 at most)", 2 },
	{ "mem", 'm', "SIZE", 0, "memory in MiB, or with suffix K, M or G (default 512)", 2 },
	{ "disk", 'd', "IMAGE", 0, "raw disk image as a virtio block device", 2 },
	{ "console", OPT_CONSOLE, "FILE|pty|none", 0, "guest's serial port (default: this terminal; Ctrl-A x quits, Ctrl-A c opens a monitor)", 2 },
	{ "machine", OPT_MACHINE, "pc|microvm", 0, "x86: pc (default) has PCI; microvm has none, for firmware that is made so (KVM)", 2 },
	{ "accel", OPT_ACCEL, "auto|kvm|tcg", 0, "what executes the guest (default auto: hardware KVM if the guest is of this machine's architecture, else QEMU's TCG)", 2 },
	{ "arch", OPT_ARCH, "ARCH", 0, "the guest's architecture: x86_64 or arm64 (default: the kernel's, else this machine's)", 2 },
	{ NULL, 0, NULL, 0, "Debugging:", 3 },
	{ "gdb", OPT_GDB, "ADDR", 0, "serve GDB on PORT, HOST:PORT (loopback only), unix:PATH, or - for stdin and stdout", 3 },
	{ "gdb-wait", OPT_GDB_WAIT, NULL, 0, "hold the guest before its first instruction until GDB lets it run", 3 },
	{ NULL, 0, NULL, 0, "Checkpoints:", 4 },
	{ "checkpoints", OPT_CHECKPOINTS, "FILE", 0, "record what the guest writes to its debug ports (JSON Lines), and print it", 4 },
	{ "checkpoint-map", OPT_CHECKPOINT_MAP, "FILE|ovmf|efi|linux|seabios", 0, "names for what is recorded; may be repeated", 4 },
	{ "debug-port", OPT_DEBUG_PORT, "PORT[,PORT...]", 0, "I/O ports that are recorded instead of 0x80, up to 8 (x86)", 4 },
	{ "checkpoint-mode", OPT_CHECKPOINT_MODE, "exact|coalesced", 0, "each write exits (default), or KVM keeps them: faster, in order, without vCPU and pc (x86)", 4 },
	{ "checkpoint-limit", OPT_CHECKPOINT_LIMIT, "SIZE", 0, "end that file at SIZE MiB, or with suffix K, M or G (default 1G)", 4 },
	{ "expect", OPT_EXPECT, "FILE", 0, "compare the checkpoints with a golden file, and end with an exit status that says how it went", 4 },
	{ "boot-timeout", OPT_BOOT_TIMEOUT, "SECONDS", 0, "end the guest, and say where it is, when nothing that is expected comes for so long (without --expect: no checkpoint)", 4 },
	{ "junit", OPT_JUNIT, "FILE", 0, "with --expect: write what became of each expectation, as JUnit XML", 4 },
	{ "metrics", OPT_METRICS, "FILE", 0, "write counts, the time of each phase and the verdict, as OpenMetrics text", 4 },
	{ "debug-mmio", OPT_DEBUG_MMIO, "ADDR", 0, "where the debug port of an arm64 guest is: a page of guest-physical memory (default 0x90f0000; KVM)", 4 },
	{ NULL, 0, NULL, 0, "", -1 },
	{ 0 },
};
// clang-format on

static unsigned take_cpus(struct argp_state *st, const char *s)
{
	uint64_t n = 0;
	const char *end = "";

	if (!cmd_number_take(s, &n, &end) || *end || n < 1 || n > 16)
		argp_error(st, "--cpus %s: expected a number from 1 to 16", s);
	return (unsigned)n;
}

static uint64_t take_mem(struct argp_state *st, const char *s)
{
	uint64_t size = 0;

	if (!cmd_size_take(s, &size) || size < (1 << 20) || size % (1 << 20) || size > (1ull << 40))
		argp_error(st, "--mem %s: expected whole MiB from 1 to 1048576, as a number or with suffix K, M or G",
			   s);
	return size;
}

static uint64_t take_timeout(struct argp_state *st, const char *s)
{
	uint64_t n = 0;
	const char *end = "";

	if (!cmd_number_take(s, &n, &end) || *end || n < 1 || n > 1000000)
		argp_error(st, "--boot-timeout %s: expected seconds, from 1 to 1000000", s);
	return n;
}

static uint64_t take_debug_mmio(struct argp_state *st, const char *s)
{
	uint64_t at = 0;
	const char *end = "";

	if (!cmd_number_take(s, &at, &end) || *end || !at)
		argp_error(st, "--debug-mmio %s: expected a guest-physical address, decimal or 0x hex", s);
	return at;
}

static void take_flat(struct argp_state *st, const char *s, struct run_options *o)
{
	const char *at = strrchr(s, '@'), *end = "";
	uint64_t addr = 0;

	if (!at || at == s || !cmd_number_take(at + 1, &addr, &end) || *end)
		argp_error(st, "--flat %s: expected FILE@ADDR, ADDR decimal or 0x hex", s);
	free(o->flat_path);
	o->flat_path = at ? strndup(s, (size_t)(at - s)) : NULL;
	o->vm.flat = o->flat_path;
	o->vm.flat_addr = addr;
}

static const struct {
	const char *name;
	const struct arch *arch;
} flat_modes[] = {
	[VM_FLAT_REAL] = { "real", &arch_x86 },
	[VM_FLAT_LONG] = { "long", &arch_x86 },
	[VM_FLAT_EL1] = { "el1", &arch_arm64 },
	[VM_FLAT_EL2] = { "el2", &arch_arm64 },
};

/* The guest's architecture, where it is not said, and what follows from it. */
static void settle_arch(struct argp_state *st, struct run_options *o)
{
	struct vm_cfg *vm = &o->vm;

	if (!vm->arch && o->flat_mode)
		vm->arch = flat_modes[vm->flat_mode].arch;
	if (!vm->arch)
		vm->arch = boot_arch_find(vm);
	if (!vm->arch)
		vm->arch = vm_arch();
	if (!o->flat_mode)
		vm->flat_mode = vm->arch == &arch_arm64 ? VM_FLAT_EL1 : VM_FLAT_REAL;
	if (flat_modes[vm->flat_mode].arch != vm->arch)
		argp_error(st, "--flat-mode %s: a guest whose architecture is %s has no such mode",
			   flat_modes[vm->flat_mode].name, vm->arch->name);
}

static void check_outputs(struct argp_state *st, const struct run_options *o)
{
	const bool to_file = o->console && strcmp(o->console, "pty") != 0 && strcmp(o->console, "none") != 0;
	const struct cmd_file out[] = {
		{ "--checkpoints", o->checkpoints },
		{ "--junit", o->junit },
		{ "--metrics", o->metrics },
		{ "--console", to_file ? o->console : NULL },
	};
	const struct cmd_file in[] = {
		{ "--kernel", o->vm.kernel }, { "--initrd", o->vm.initrd }, { "--firmware", o->vm.firmware },
		{ "--nvram", o->vm.nvram },   { "--flat", o->vm.flat },     { "--disk", o->vm.disk },
		{ "--expect", o->expect },
	};

	cmd_outputs_check(st, out, ARRAY_LEN(out), in, ARRAY_LEN(in), &o->maps);
}

static void check(struct argp_state *st, struct run_options *o)
{
	int what = !!o->vm.kernel + !!o->vm.firmware + !!o->vm.flat;

	if (what != 1)
		argp_error(st, "%s: expected exactly one of --kernel, --firmware and --flat",
			   what ? "too many things to run" : "nothing to run");
	if (o->vm.initrd && !o->vm.kernel)
		argp_error(st, "--initrd %s: expected only with --kernel", o->vm.initrd);
	if (o->vm.nvram && !o->vm.firmware)
		argp_error(st, "--nvram %s: expected only with --firmware", o->vm.nvram);
	if (o->checkpoint_limit && !o->checkpoints)
		argp_error(st, "--checkpoint-limit: expected together with --checkpoints");
	if (o->maps.n && !o->checkpoints && !o->gdb && !o->expect && !o->boot_timeout_s && !o->metrics)
		argp_error(st,
			   "--checkpoint-map %s: expected together with --checkpoints, --gdb, --expect, --boot-timeout "
			   "or --metrics",
			   o->maps.spec[0]);
	if (o->junit && !o->expect)
		argp_error(st, "--junit %s: expected together with --expect", o->junit);
	if (o->gdb_wait && !o->gdb)
		argp_error(st, "--gdb-wait: expected together with --gdb");
	check_outputs(st, o);
	settle_arch(st, o);
	if (o->vm.debug_mmio && o->vm.arch != &arch_arm64)
		argp_error(st, "--debug-mmio: expected only with an arm64 guest, not %s", o->vm.arch->name);
	if ((o->vm.ndebug_ports || o->vm.coalesced) && o->vm.arch != &arch_x86)
		argp_error(st, "%s: expected only with an x86 guest: %s has no I/O ports",
			   o->vm.ndebug_ports ? "--debug-port" : "--checkpoint-mode coalesced", o->vm.arch->name);
	if (o->vm.microvm && o->vm.arch != &arch_x86)
		argp_error(st, "--machine microvm: expected only with an x86 guest, not %s", o->vm.arch->name);
	if (o->vm.nvram && o->vm.arch != &arch_x86)
		argp_error(st, "--nvram %s: expected only with an x86 guest, not %s", o->vm.nvram, o->vm.arch->name);
}

/* Options whose value is kept as it is. */
static bool take_text(int key, const char *arg, struct run_options *o)
{
	static const struct {
		int key;
		size_t at; // a const char *
	} texts[] = {
		{ 'k', offsetof(struct run_options, vm.kernel) },
		{ 'i', offsetof(struct run_options, vm.initrd) },
		{ 'p', offsetof(struct run_options, vm.params) },
		{ 'd', offsetof(struct run_options, vm.disk) },
		{ OPT_FIRMWARE, offsetof(struct run_options, vm.firmware) },
		{ OPT_NVRAM, offsetof(struct run_options, vm.nvram) },
		{ OPT_GDB, offsetof(struct run_options, gdb) },
		{ OPT_CONSOLE, offsetof(struct run_options, console) },
		{ OPT_CHECKPOINTS, offsetof(struct run_options, checkpoints) },
		{ OPT_EXPECT, offsetof(struct run_options, expect) },
		{ OPT_JUNIT, offsetof(struct run_options, junit) },
		{ OPT_METRICS, offsetof(struct run_options, metrics) },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].key != key)
			continue;
		*(const char **)(void *)((char *)o + texts[i].at) = arg;
		return true;
	}
	return false;
}

static error_t parse(int key, char *arg, struct argp_state *st)
{
	static const char *const accels[] = { "auto", "kvm", "tcg" }, *const modes[] = { "real", "long", "el1", "el2" };
	static const char *const checkpoint_modes[] = { "exact", "coalesced" };
	static const char *const machines[] = { "pc", "microvm" };
	static const char *const archs[] = { "x86_64", "arm64", "aarch64" };
	struct run_options *o = st->input;

	if (take_text(key, arg, o))
		return 0;
	switch (key) {
	case 'c':
		o->vm.cpus = take_cpus(st, arg);
		return 0;
	case 'm':
		o->vm.mem_size = take_mem(st, arg);
		return 0;
	case OPT_MACHINE:
		o->vm.microvm = cmd_word_take(st, "--machine", arg, machines, ARRAY_LEN(machines)) == 1;
		return 0;
	case OPT_FLAT:
		take_flat(st, arg, o);
		return 0;
	case OPT_FLAT_MODE:
		o->flat_mode = true;
		o->vm.flat_mode = (enum vm_flat_mode)cmd_word_take(st, "--flat-mode", arg, modes, ARRAY_LEN(modes));
		return 0;
	case OPT_GDB_WAIT:
		o->gdb_wait = true;
		return 0;
	case OPT_ACCEL:
		o->accel = (enum cmd_accel)cmd_word_take(st, "--accel", arg, accels, ARRAY_LEN(accels));
		return 0;
	case OPT_ARCH:
		o->vm.arch = cmd_word_take(st, "--arch", arg, archs, ARRAY_LEN(archs)) ? &arch_arm64 : &arch_x86;
		return 0;
	case OPT_CHECKPOINT_MAP:
		cmd_maps_take(st, &o->maps, arg);
		return 0;
	case OPT_DEBUG_PORT:
		o->vm.ndebug_ports = cmd_ports_take(st, arg, o->vm.debug_port);
		return 0;
	case OPT_CHECKPOINT_MODE:
		o->vm.coalesced =
			cmd_word_take(st, "--checkpoint-mode", arg, checkpoint_modes, ARRAY_LEN(checkpoint_modes));
		return 0;
	case OPT_CHECKPOINT_LIMIT:
		o->checkpoint_limit = cmd_limit_take(st, arg);
		return 0;
	case OPT_BOOT_TIMEOUT:
		o->boot_timeout_s = take_timeout(st, arg);
		return 0;
	case OPT_DEBUG_MMIO:
		o->vm.debug_mmio = take_debug_mmio(st, arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(st, "%s: unexpected argument", arg);
		return 0;
	case ARGP_KEY_END:
		check(st, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Does the command line say anything about KASLR? */
static bool has_kaslr_word(const char *params)
{
	for (const char *p = params; (p = strstr(p, "kaslr")); p += 5) {
		const char *start = p - params >= 2 && strncmp(p - 2, "no", 2) == 0 ? p - 2 : p;

		if ((start == params || start[-1] == ' ') && (p[5] == '\0' || p[5] == ' '))
			return true;
	}
	return false;
}

/* A debugger needs the kernel where its symbols are. */
static void add_nokaslr(struct run_options *o)
{
	if (!o->gdb || !o->vm.kernel || has_kaslr_word(o->vm.params))
		return;
	if (asprintf(&o->params, "%s%snokaslr", o->vm.params, *o->vm.params ? " " : "") < 0)
		return;
	o->vm.params = o->params;
	fprintf(stderr,
		"gdbvm: added nokaslr to the kernel command line, so that symbols fit (kaslr there turns this off)\n");
}

void run_options_parse(int argc, char **argv, struct run_options *o)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Start a guest on KVM (or on QEMU's TCG), with a debug server for GDB.",
	};

	char name[] = "gdbvm run";

	*o = (struct run_options){ .vm = { .cpus = 1, .mem_size = 512ull << 20, .params = "" } };
	argp_err_exit_status = CMD_USAGE;
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, o);
	add_nokaslr(o);
}

void run_options_deinit(struct run_options *o)
{
	free(o->params);
	free(o->flat_path);
}

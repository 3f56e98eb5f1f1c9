/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "checkpoint/names.h"
#include "engine/engine.h"
#include "util/errtext.h"
#include "vmm/vm.h"

/* The exit statuses of gdbvm, as gdbvm(1) lists them, next to enum target_exit and 128 + signal. */
enum cmd_status {
	CMD_OK = 0,          /* the user quit, or the debugger killed the guest */
	CMD_DIFFERENT = 1,   /* of checkpoints diff: two boots differ */
	CMD_USAGE = 2,       /* an option, or the value of one, is wrong */
	CMD_ENVIRONMENT = 3, /* something of this machine is missing: /dev/kvm, rights to it, QEMU */
	CMD_FILE = 4,        /* a file is missing, or is not what it should be */
	CMD_LISTEN = 5,      /* the address of --gdb cannot be listened on */
	/* --expect, and for CMD_STALLED also --boot-timeout alone: */
	CMD_DIVERGED = 20,  /* something else came, or the guest ended too early */
	CMD_STALLED = 21,   /* nothing came for too long */
	CMD_CRASHED = 22,   /* crash or panic */
	CMD_UNDECIDED = 23, /* the user or the debugger ended the guest before there was a verdict */
	CMD_SIGNAL = 128,   /* plus the number of the signal that ended us */
};

enum cmd_accel { CMD_ACCEL_AUTO, CMD_ACCEL_KVM, CMD_ACCEL_TCG };

/* Each --checkpoint-map, in their order. */
struct cmd_maps {
	const char *spec[16];
	unsigned n;
};

/* What `gdbvm run` was asked for. Strings live as long as argv, but for params (malloc). */
struct run_options {
	struct vm_cfg vm;
	char *params;
	char *flat_path; /* malloc */
	bool flat_mode;  /* it was said */
	const char *gdb; /* NULL: no debug server */
	bool gdb_wait;
	enum cmd_accel accel;
	const char *console;     /* NULL: the terminal */
	const char *checkpoints; /* NULL: none */
	uint64_t checkpoint_limit;
	const char *expect, *junit, *metrics; /* NULL: none */
	uint64_t boot_timeout_s;              /* 0: none */
	struct cmd_maps maps;
};

/** run_options_parse() - argv of `gdbvm run`. Exits with CMD_USAGE and a message when something is wrong. */
void run_options_parse(int argc, char **argv, struct run_options *o);
void run_options_deinit(struct run_options *o);

/** cmd_run() and so on - the subcommands. Return: the exit status. */
int cmd_run(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_checkpoints(int argc, char **argv);
int cmd_decode(int argc, char **argv);

/** cmd_fail() - tell the person why. Returns: @status. */
int cmd_fail(int status, const struct errtext *why);

/** cmd_print() - what a command is to say, on standard output. Returns: CMD_OK; CMD_FILE, and it was said. */
int cmd_print(const struct strbuf *text);

/*
 * Values of options, by argp's parsers. What is wrong is a usage error that names the value and what was expected: the
 * process ends.
 */
struct argp_state;

/** cmd_number_take() - the number that @s begins with, decimal or 0x hex, and where it ends. A leading 0 means nothing,
 *  as in maps and golden files. Returns: is it one? */
bool cmd_number_take(const char *s, uint64_t *ret, const char **end);

/** cmd_size_take() - bytes: MiB, or with suffix K, M or G. Returns: false if it is none, or too large for 64 bits. */
bool cmd_size_take(const char *s, uint64_t *ret);

/** cmd_word_take() - the value of @opt is one of @words. Returns: its index. */
int cmd_word_take(struct argp_state *st, const char *opt, const char *s, const char *const *words, size_t n);

/** cmd_limit_take() - the value of --checkpoint-limit, in bytes. */
uint64_t cmd_limit_take(struct argp_state *st, const char *s);

/** cmd_ports_take() - the value of --debug-port. Returns: how many ports that is. */
unsigned cmd_ports_take(struct argp_state *st, const char *s, uint16_t ports[VM_MAX_DEBUG_PORTS]);

/** cmd_is_same_file() - do both name the same regular file, or the same file that is not there yet? Of special files,
 * such as /dev/null, false. */
bool cmd_is_same_file(const char *a, const char *b);

/* The file of an option; path NULL: it was not given. */
struct cmd_file {
	const char *opt, *path;
};

/** cmd_outputs_check() - what is written (@out) is to be none of what is read (@in, @maps), and no two are to be one.
 */
void cmd_outputs_check(struct argp_state *st, const struct cmd_file *out, size_t nout, const struct cmd_file *in,
		       size_t nin, const struct cmd_maps *maps);

/** cmd_maps_take() - one more --checkpoint-map. */
void cmd_maps_take(struct argp_state *st, struct cmd_maps *maps, const char *s);

/** cmd_maps_load() - all of them; none give names that know nothing. Returns: as checkpoint_names_load(). */
int cmd_maps_load(const struct cmd_maps *maps, struct checkpoint_names **ret, struct errtext *why);

/**
 * signals_open() - *@fd is readable when a signal that ends us has come, after signals_block(); and it stays so, for
 * all who wait for a reader of ours: nobody is to do so any more, and no message on stderr does. Returns: 0; negative
 * errno.
 */
int signals_open(int *fd);

/** signals_block() - these signals are only seen there from now on; until then they end us at once, whatever we wait
 *  for, such as the other end of a FIFO. Threads started later inherit the mask. */
void signals_block(void);

/** signals_pending() - the number of a signal that has come; 0: none. */
int signals_pending(void);

/**
 * accel_choose() - what `auto` means on this machine for a guest of @arch, with a sentence why.
 * Hardware KVM is /dev/kvm that can be opened plus vmx or svm in /proc/cpuinfo.
 * Returns: the accelerator, never AUTO; a negative CMD_ENVIRONMENT with @why if KVM was asked for and is not there.
 */
int accel_choose(enum cmd_accel asked, const struct arch *arch, struct errtext *why);

/** report_end() - tell the person how the guest ended or that it panicked, with registers and code bytes where there
 *  are any. Returns: the exit status. */
int report_end(struct engine *e, const struct stop_event *ev);

#endif

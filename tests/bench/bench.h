/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __aarch64__
#include "../guests/arm64/bench.h"
#else
#include "../guests/x86/bench.h"
#endif

/*
 * Everything that is measured runs in one process and its two children (gdbvm, QEMU), and takes turns: a round measures
 * each thing once, and the table has the medians over all rounds. What goes wrong ends the program with a line that
 * says what.
 */

/** bench_die() - end the program, and its children. */
_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

double bench_now(void); /* seconds */

/* ---- bare.c, bare_x86.c, bare_arm64.c, kick.c: KVM without a debug server ---- */
struct bare;
struct kvm_run;
struct bare *bare_open(const char *image); /* the guest counts */
struct kvm_run *bare_run(struct bare *b);
int bare_enter(struct bare *b); /* KVM_RUN */
void bare_jump(struct bare *b, uint64_t pc, uint64_t loops);

/** bare_steps() - seconds for @n single steps: KVM_RUN and nothing else. */
double bare_steps(struct bare *b, unsigned n);

/** bare_codes() - seconds of CPU time for @n writes to the debug port by the loop at @at: KVM_RUN, and a look at why it
 * came back. */
double bare_codes(struct bare *b, uint64_t at, unsigned n);

/** bare_coalesced() - likewise, if KVM keeps them and nobody looks at them. */
double bare_coalesced(struct bare *b, unsigned n);

/** bare_kick() - seconds from a signal to the thread in KVM_RUN until it has told, through a pipe, that it is out. */
double bare_kick(struct bare *b);

/** bare_clock() - seconds for the ioctls that hold the guest's clock over one stop: read it, set it. */
double bare_clock(struct bare *b, unsigned n);
void bare_close(struct bare *b);

/* ---- traced.c: gdbvm trace, and what it traces is this process ---- */
struct traced {
	pid_t pid;
	int out; /* what it prints */
};

/** traced_start() - and wait until it has begun. Returns: false: we may not, and it is said. */
bool traced_start(struct traced *t, const char *gdbvm);
void traced_stop(struct traced *t);

/* ---- client.c: a debug server and its client ---- */
struct client {
	pid_t pid;
	int sock, console; /* console: the guest's serial port */
	char path[64];
	bool acks;          /* the server knows no QStartNoAckMode */
	bool owe_ack;       /* for its last packet; goes out with the next */
	size_t packet_size; /* as it said in qSupported */
	bool conditions, binary;
	uint8_t *in; /* received and not yet taken: [at, len) */
	size_t at, len;
	size_t fresh;    /* where the last piece begins, while a packet is waited for */
	size_t body_len; /* of the last packet */
};

/** client_start() - start a server by @argv and wait for the guest's first byte on its serial port. */
void client_start(struct client *c, const char *path, char *const argv[]);
void client_connect(struct client *c); /* and stop the guest */
void client_detach(struct client *c);  /* the guest runs on */
void client_stop(struct client *c);    /* end the server */

void client_send(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** client_reply() - body of the next packet that is not console text; valid until the next call. */
const char *client_reply(struct client *c);
const char *client_ask(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void client_ask_ok(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** client_resume() - send @packet and wait for the stop; dies unless it is a stop with @signal. */
void client_resume(struct client *c, const char *packet, int signal);
void client_interrupt(struct client *c); /* and wait for the stop */
void client_jump(struct client *c, uint64_t pc, uint64_t loops);
uint64_t client_counter(struct client *c);

#endif

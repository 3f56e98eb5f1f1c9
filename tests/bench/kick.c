/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long it takes to get a thread out of KVM_RUN. */
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "bench.h"

enum { KICK_SIGNAL = SIGUSR1 };

static void on_kick(int sig)
{
	// its only use is to make KVM_RUN return
}

struct kick {
	struct bare *b;
	int up, out; /* pipes' write ends */
};

static void *kicked(void *arg)
{
	struct kick *k = arg;

	write(k->up, "", 1);
	while (bare_enter(k->b) == 0)
		;
	write(k->out, "", 1);
	return NULL;
}

double bare_kick(struct bare *b)
{
	int up[2], out[2];
	struct sigaction kick = { .sa_handler = on_kick };
	struct kick k = { .b = b };
	pthread_t thread;
	double begin;
	char byte;

	sigaction(KICK_SIGNAL, &kick, NULL);
	if (pipe(up) < 0 || pipe(out) < 0)
		bench_die("no pipes");
	k.up = up[1];
	k.out = out[1];
	bare_jump(b, BENCH_STEPS_END, 0);
	if (pthread_create(&thread, NULL, kicked, &k))
		bench_die("no thread");
	read(up[0], &byte, 1);
	usleep(20000); // let it be in the guest, as a guest to be stopped is
	bare_run(b)->immediate_exit = 1;
	begin = bench_now();
	pthread_kill(thread, KICK_SIGNAL);
	read(out[0], &byte, 1);
	begin = bench_now() - begin;
	pthread_join(thread, NULL);
	bare_run(b)->immediate_exit = 0;
	for (unsigned i = 0; i < 2; i++) {
		close(up[i]);
		close(out[i]);
	}
	return begin;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a fuzz target without libFuzzer: over the corpus files given, then for a bounded number of mutations of them
 * from a fixed seed, so that `make check` needs no special compiler. A crash prints the input that made it.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { INPUT_MAX_LEN = 1 << 16, MAX_SEEDS = 256 };

struct input {
	size_t n;
	uint8_t data[INPUT_MAX_LEN];
};

static struct input current; /* for the crash handler */

static uint32_t rnd(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void on_crash(int sig)
{
	fprintf(stderr, "signal %d on this input (%zu bytes):\n", sig, current.n);
	for (size_t i = 0; i < current.n && i < 4096; i++)
		fprintf(stderr, "%02x", current.data[i]);
	fprintf(stderr, "\n");
	signal(sig, SIG_DFL);
	raise(sig);
}

static int load(const char *path, struct input *in)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		return -1;
	in->n = fread(in->data, 1, sizeof(in->data), f);
	fclose(f);
	return 0;
}

static void run(void)
{
	LLVMFuzzerTestOneInput(current.data, current.n);
}

/* A few byte edits, insertions and cuts. */
static void mutate(const struct input *seed, uint32_t *state)
{
	current = *seed;
	for (uint32_t edits = rnd(state) % 8 + 1; edits; edits--) {
		size_t at = current.n ? rnd(state) % current.n : 0;

		switch (rnd(state) % 4) {
		case 0:
			if (current.n)
				current.data[at] = (uint8_t)rnd(state);
			break;
		case 1:
			if (current.n)
				current.data[at] ^= (uint8_t)(1u << rnd(state) % 8);
			break;
		case 2:
			current.n = at;
			break;
		default:
			if (current.n < INPUT_MAX_LEN) {
				memmove(current.data + at + 1, current.data + at, current.n - at);
				current.data[at] = (uint8_t)rnd(state);
				current.n++;
			}
		}
	}
}

/* argv: CORPUS_DIR ROUNDS */
int main(int argc, char **argv)
{
	struct input *seeds = calloc(MAX_SEEDS, sizeof(*seeds));
	uint32_t state = 2463534242u;
	size_t nseeds = 0;
	struct dirent *e;
	DIR *d = argc == 3 ? opendir(argv[1]) : NULL;

	if (!d || !seeds) {
		fprintf(stderr, "usage: %s CORPUS_DIR ROUNDS (a directory of inputs, and how many mutations of them)\n",
			argv[0]);
		return 2;
	}
	signal(SIGSEGV, on_crash);
	signal(SIGABRT, on_crash);
	while ((e = readdir(d)) && nseeds < MAX_SEEDS) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
		if (e->d_name[0] != '.' && load(path, &seeds[nseeds]) == 0) {
			current = seeds[nseeds++];
			run();
		}
	}
	closedir(d);
	for (long i = atol(argv[2]); i > 0 && nseeds; i--) {
		mutate(&seeds[rnd(&state) % nseeds], &state);
		run();
	}
	printf("%zu inputs and %s mutations of them\n", nseeds, argv[2]);
	free(seeds);
	return nseeds ? 0 : 1;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "outfile.h"

/* What the subcommands have in common: the values of options, and how one fails. */

int cmd_fail(int status, const struct errtext *why)
{
	fprintf(stderr, "gdbvm: %s\n", why->text);
	return status;
}

int cmd_print(const struct strbuf *text)
{
	struct outfile out = { .path = "standard output", .fd = STDOUT_FILENO };
	struct errtext why;

	return outfile_put(&out, text, &why) < 0 ? cmd_fail(CMD_FILE, &why) : CMD_OK;
}

bool cmd_number_take(const char *s, uint64_t *ret, const char **end)
{
	const bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	char *stop;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*ret = strtoull(s, &stop, hex ? 16 : 10);
	*end = stop;
	return errno == 0;
}

bool cmd_size_take(const char *s, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		unsigned shift;
	} units[] = { { "", 20 }, { "K", 10 }, { "M", 20 }, { "G", 30 } };
	const char *end = "";
	uint64_t n = 0;
	bool ok = cmd_number_take(s, &n, &end);

	for (size_t i = 0; ok && i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		*ret = n << units[i].shift;
		return *ret >> units[i].shift == n;
	}
	return false;
}

int cmd_word_take(struct argp_state *st, const char *opt, const char *s, const char *const *words, size_t n)
{
	char list[128] = "";

	for (size_t i = 0; i < n; i++) {
		if (strcmp(s, words[i]) == 0)
			return (int)i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 i == 0      ? ""
			 : i + 1 < n ? ", "
				     : " or ",
			 words[i]);
	}
	argp_error(st, "%s %s: expected %s", opt, s, list);
	return 0;
}

uint64_t cmd_limit_take(struct argp_state *st, const char *s)
{
	uint64_t size = 0;

	if (!cmd_size_take(s, &size) || size < 4096)
		argp_error(st, "--checkpoint-limit %s: expected MiB, or a number with suffix K, M or G, at least 4K",
			   s);
	return size;
}

unsigned cmd_ports_take(struct argp_state *st, const char *s, uint16_t ports[VM_MAX_DEBUG_PORTS])
{
	const char *p = s, *end = "";
	uint64_t port = 0;
	unsigned n;

	for (n = 0; p; p = *end ? end + 1 : NULL) {
		if (!cmd_number_take(p, &port, &end) || (*end && *end != ',') || port > UINT16_MAX)
			argp_error(st,
				   "--debug-port %s: expected I/O ports from 0 to 0xffff, decimal or 0x hex, "
				   "between commas",
				   s);
		for (unsigned i = 0; i < n; i++)
			if (ports[i] == port)
				argp_error(st, "--debug-port %s: %#" PRIx64 " is in it twice", s, port);
		if (n == VM_MAX_DEBUG_PORTS)
			argp_error(st, "--debug-port %s: expected %d ports at most", s, VM_MAX_DEBUG_PORTS);
		ports[n++] = (uint16_t)port;
	}
	return n;
}

/* Of the directory that @path is in, or would be. */
static bool stat_parent(const char *path, struct stat *st)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

	return dir && stat(dir, st) == 0;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool cmd_is_same_file(const char *a, const char *b)
{
	struct stat x, y;
	const bool has_a = stat(a, &x) == 0, has_b = stat(b, &y) == 0;

	if (has_a != has_b || (has_a && !S_ISREG(x.st_mode)))
		return false;
	if (!has_a && (strcmp(name_of(a), name_of(b)) != 0 || !stat_parent(a, &x) || !stat_parent(b, &y)))
		return false;
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void check_pair(struct argp_state *st, const struct cmd_file *out, const struct cmd_file *other)
{
	if (out->path && other->path && cmd_is_same_file(out->path, other->path))
		argp_error(st, "%s %s would overwrite %s %s: expected another file", out->opt, out->path, other->opt,
			   other->path);
}

void cmd_outputs_check(struct argp_state *st, const struct cmd_file *out, size_t nout, const struct cmd_file *in,
		       size_t nin, const struct cmd_maps *maps)
{
	for (size_t i = 0; i < nout; i++) {
		for (size_t k = 0; k < nin; k++)
			check_pair(st, &out[i], &in[k]);
		for (size_t k = 0; k < i; k++)
			check_pair(st, &out[i], &out[k]);
		for (unsigned k = 0; k < maps->n; k++)
			check_pair(st, &out[i], &(struct cmd_file){ "--checkpoint-map", maps->spec[k] });
	}
}

int cmd_maps_load(const struct cmd_maps *maps, struct checkpoint_names **ret, struct errtext *why)
{
	_cleanup_(checkpoint_names_destroyp) struct checkpoint_names *names = NULL;
	int rc = checkpoint_names_create(&names);

	if (rc < 0)
		return errtext_set(why, rc, "no memory for the names of checkpoints");
	for (unsigned i = 0; i < maps->n && rc == 0; i++)
		rc = checkpoint_names_load(names, maps->spec[i], why);
	if (rc == 0)
		*ret = take_ptr(names);
	return rc;
}

void cmd_maps_take(struct argp_state *st, struct cmd_maps *maps, const char *s)
{
	if (maps->n == ARRAY_LEN(maps->spec))
		argp_error(st, "--checkpoint-map %s: expected no more than %zu maps", s, ARRAY_LEN(maps->spec));
	maps->spec[maps->n++] = s;
}

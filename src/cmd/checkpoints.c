/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/diff.h"
#include "checkpoint/golden.h"
#include "checkpoint/report.h"
#include "checkpoint/scan.h"
#include "cmd.h"
#include "util/cursor.h"

enum { OPT_ALL = 0x100, OPT_FORMAT, OPT_LARGEST, OPT_MAP, OPT_OUTPUT = 'o' };
enum format { FORMAT_TABLE, FORMAT_TEXT, FORMAT_TRACE, FORMAT_GOLDEN };

/* What every action takes: files and maps. */
struct input {
	unsigned least, most; // how many files
	const char *path[2];
	unsigned n;
	struct cmd_maps maps;
};

struct show_options {
	struct input in; // first
	enum format format;
	bool all;
};

/* ---- show ---- */

static void add_text_form(struct strbuf *out, const struct checkpoint_file *f)
{
	for (size_t i = 0; i < f->n; i++)
		checkpoint_text_add(out, &f->entry[i].rec);
}

/* The files, with the names of the maps if there are any. */
static int read_input(const struct input *in, struct checkpoint_file *ret[2], struct errtext *why)
{
	_cleanup_(checkpoint_names_destroyp) struct checkpoint_names *names = NULL;
	int rc = cmd_maps_load(&in->maps, &names, why);

	for (unsigned i = 0; i < in->n && rc == 0; i++) {
		rc = checkpoint_file_read(in->path[i], &ret[i], why);
		if (rc == 0 && in->maps.n && (rc = checkpoint_file_relabel(ret[i], names)) < 0)
			errtext_set(why, rc, "no memory for the names of checkpoints");
	}
	return rc;
}

static void boots_deinit(struct checkpoint_file *(*f)[2])
{
	checkpoint_file_destroy((*f)[0]);
	checkpoint_file_destroy((*f)[1]);
}

static int show(const struct show_options *o)
{
	_cleanup_(boots_deinit) struct checkpoint_file *boot[2] = { NULL };
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	const struct checkpoint_file *f;
	struct errtext why;

	if (read_input(&o->in, boot, &why) < 0)
		return cmd_fail(CMD_FILE, &why);
	f = boot[0];
	if (o->format == FORMAT_TRACE)
		checkpoint_trace_add(&out, f);
	else if (o->format == FORMAT_TEXT)
		add_text_form(&out, f);
	else if (o->format == FORMAT_GOLDEN)
		golden_add(&out, f);
	else
		checkpoint_table_add(&out, f, o->all);
	return cmd_print(&out);
}

/* What all actions have in common. */
static error_t parse_input(int key, char *arg, struct argp_state *st, struct input *in)
{
	switch (key) {
	case OPT_MAP:
		cmd_maps_take(st, &in->maps, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (in->n == in->most)
			argp_error(st, "%s: expected %s", arg, in->most == 1 ? "one file" : "two files");
		in->path[in->n++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (in->n < in->least)
			argp_error(st, in->n ? "no second file is given" : "no file is given");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_show(int key, char *arg, struct argp_state *st)
{
	static const char *const formats[] = { "table", "text", "trace", "golden" }; // by enum format
	struct show_options *o = st->input;

	switch (key) {
	case OPT_ALL:
		o->all = true;
		return 0;
	case OPT_FORMAT:
		o->format = (enum format)cmd_word_take(st, "--format", arg, formats, ARRAY_LEN(formats));
		return 0;
	default:
		return parse_input(key, arg, st, &o->in);
	}
}

static int cmd_show(int argc, char **argv)
{
	// clang-format off
	static const struct argp_option options[] = {
		{ "format", OPT_FORMAT, "table|text|trace|golden", 0, "table (default); text: port80: write 0x16; trace: JSON for chrome://tracing and Perfetto; golden: a file for run --expect", 0 },
		{ "all", OPT_ALL, NULL, 0, "in the table, also each byte of sequences and frames", 0 },
		{ "checkpoint-map", OPT_MAP, "FILE|ovmf|efi|linux|seabios", 0, "name values by this map, not as when they were recorded; may be repeated", 0 },
		{ 0 },
	};
	// clang-format on
	static const struct argp argp = {
		.options = options,
		.parser = parse_show,
		.args_doc = "FILE",
		.doc = "Show the checkpoints that gdbvm run --checkpoints FILE has recorded.",
	};
	struct show_options o = { .in = { .least = 1, .most = 1 } };
	char name[] = "gdbvm checkpoints show";

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return show(&o);
}

/* ---- diff ---- */

struct diff_options {
	struct input in; // first
	bool all;
	uint64_t largest; // 0: in order
};

enum { LARGEST_DEFAULT = 20 };

static int diff(const struct diff_options *o)
{
	_cleanup_(boots_deinit) struct checkpoint_file *boot[2] = { NULL };
	_cleanup_(checkpoint_diff_destroyp) struct checkpoint_diff *d = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct errtext why;
	int status;

	if (read_input(&o->in, boot, &why) < 0)
		return cmd_fail(CMD_FILE, &why);
	if (checkpoint_diff(boot[0], boot[1], o->all, &d) < 0) {
		errtext_set(&why, -ENOMEM, "no memory to compare %s and %s", o->in.path[0], o->in.path[1]);
		return cmd_fail(CMD_FILE, &why);
	}
	checkpoint_diff_add(&out, o->in.path[0], o->in.path[1], d, o->largest);
	status = cmd_print(&out);
	return status == CMD_OK && (d->only_a || d->only_b) ? CMD_DIFFERENT : status;
}

static void take_largest(struct argp_state *st, struct diff_options *o, const char *arg)
{
	struct cur c = cur_init(arg, strlen(arg));

	o->largest = cur_dec(&c);
	if (!cur_done(&c) || o->largest == 0)
		argp_error(st, "--largest=%s: expected a number from 1", arg);
}

static error_t parse_diff(int key, char *arg, struct argp_state *st)
{
	struct diff_options *o = st->input;

	switch (key) {
	case OPT_ALL:
		o->all = true;
		return 0;
	case OPT_LARGEST:
		o->largest = LARGEST_DEFAULT;
		if (arg)
			take_largest(st, o, arg);
		return 0;
	default:
		return parse_input(key, arg, st, &o->in);
	}
}

static int cmd_diff(int argc, char **argv)
{
	// clang-format off
	static const struct argp_option options[] = {
		{ "largest", OPT_LARGEST, "N", OPTION_ARG_OPTIONAL, "what differs, and the N (20) largest differences of time; not all in order", 0 },
		{ "all", OPT_ALL, NULL, 0, "compare every write, also noise and each byte of sequences and frames", 0 },
		{ "checkpoint-map", OPT_MAP, "FILE|ovmf|efi|linux|seabios", 0, "name values by this map, not as when they were recorded; may be repeated", 0 },
		{ 0 },
	};
	// clang-format on
	static const struct argp argp = {
		.options = options,
		.parser = parse_diff,
		.args_doc = "A B",
		.doc = "Compare the checkpoints of two boots: what is only in A (-) or B (+), what has other data (~), "
		       "and where the time went. Exit status: 0: the same checkpoints in the same order on each vCPU; "
		       "1: not.",
	};
	struct diff_options o = { .in = { .least = 2, .most = 2 } };
	char name[] = "gdbvm checkpoints diff";

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return diff(&o);
}

/* ---- report ---- */

struct report_options {
	struct input in; // first
	bool svg;
	const char *output; // NULL: beside the first file; "-": standard output
};

/* FILE.jsonl becomes FILE.html. */
static char *output_beside(const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	const size_t n = dot && dot != name ? (size_t)(dot - path) : strlen(path);
	char *s;

	return asprintf(&s, "%.*s.%s", (int)n, path, suffix) < 0 ? NULL : s;
}

static bool write_out(const struct strbuf *out, FILE *to)
{
	if (out->oom)
		errno = ENOMEM;
	return !out->oom && fwrite(strbuf_str(out), 1, out->len, to) == out->len && fflush(to) == 0;
}

static int put_file(const struct strbuf *out, const char *path)
{
	FILE *f = path ? fopen(path, "we") : NULL;
	bool ok = f && write_out(out, f);
	struct errtext why;

	if (f && fclose(f) != 0)
		ok = false;
	if (ok) {
		fprintf(stderr, "gdbvm: wrote %s\n", path);
		return CMD_OK;
	}
	errtext_set(&why, -errno, "cannot write %s: %s", path ?: "the report", strerror(errno));
	return cmd_fail(CMD_FILE, &why);
}

/* Where it goes must be none of what it is made of. */
static int check_output(const struct input *in, const char *path, struct errtext *why)
{
	bool read = false;

	for (unsigned i = 0; i < in->n; i++)
		read |= cmd_is_same_file(path, in->path[i]);
	for (unsigned i = 0; i < in->maps.n; i++)
		read |= cmd_is_same_file(path, in->maps.spec[i]);
	if (!read)
		return 0;
	return errtext_set(
		why, -EINVAL,
		"%s is what the report is made of, and is not overwritten: expected --output with another file", path);
}

static int report(const struct report_options *o)
{
	_cleanup_(boots_deinit) struct checkpoint_file *boot[2] = { NULL };
	_cleanup_(checkpoint_diff_destroyp) struct checkpoint_diff *d = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	_cleanup_(freep) char *beside = NULL;
	struct errtext why;

	beside = o->output ? NULL : output_beside(o->in.path[0], o->svg ? "svg" : "html");
	const char *path = o->output ?: beside;
	if (read_input(&o->in, boot, &why) < 0 || (path && check_output(&o->in, path, &why) < 0))
		return cmd_fail(CMD_FILE, &why);
	if (o->in.n == 2 && checkpoint_diff(boot[0], boot[1], false, &d) < 0) {
		errtext_set(&why, -ENOMEM, "no memory to compare %s and %s", o->in.path[0], o->in.path[1]);
		return cmd_fail(CMD_FILE, &why);
	}
	const struct checkpoint_report r = {
		.file = { boot[0], boot[1] }, .name = { o->in.path[0], o->in.path[1] }, .n = o->in.n, .diff = d
	};
	(o->svg ? checkpoint_report_svg : checkpoint_report_html)(&out, &r);
	return path && strcmp(path, "-") == 0 ? cmd_print(&out) : put_file(&out, path);
}

static error_t parse_report(int key, char *arg, struct argp_state *st)
{
	static const char *const formats[] = { "html", "svg" };
	struct report_options *o = st->input;

	switch (key) {
	case OPT_FORMAT:
		o->svg = cmd_word_take(st, "--format", arg, formats, ARRAY_LEN(formats)) == 1;
		return 0;
	case OPT_OUTPUT:
		o->output = arg;
		return 0;
	default:
		return parse_input(key, arg, st, &o->in);
	}
}

static int cmd_report(int argc, char **argv)
{
	// clang-format off
	static const struct argp_option options[] = {
		{ "output", OPT_OUTPUT, "FILE", 0, "where it goes, - for standard output; if not given, A with .html for its suffix", 0 },
		{ "format", OPT_FORMAT, "html|svg", 0, "a page (default), or a small picture of what lasts longest", 0 },
		{ "checkpoint-map", OPT_MAP, "FILE|ovmf|efi|linux|seabios", 0, "name values by this map, not as when they were recorded; may be repeated", 0 },
		{ 0 },
	};
	// clang-format on
	static const struct argp argp = {
		.options = options,
		.parser = parse_report,
		.args_doc = "A [B]",
		.doc = "Draw a boot, or two beside each other, as a page for a browser. It needs no network.",
	};
	struct report_options o = { .in = { .least = 1, .most = 2 } };
	char name[] = "gdbvm checkpoints report";

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return report(&o);
}

/* ---- scan ---- */

static int scan(const struct input *in)
{
	_cleanup_(checkpoint_scan_destroyp) struct checkpoint_scan *found = NULL;
	_cleanup_(checkpoint_names_destroyp) struct checkpoint_names *names = NULL;
	_cleanup_(strbuf_deinit) struct strbuf out = { 0 };
	struct errtext why;

	if (cmd_maps_load(&in->maps, &names, &why) < 0 || checkpoint_scan_file(in->path[0], &found, &why) < 0)
		return cmd_fail(CMD_FILE, &why);
	checkpoint_scan_add(&out, in->path[0], found, names);
	return cmd_print(&out);
}

static error_t parse_scan(int key, char *arg, struct argp_state *st)
{
	return parse_input(key, arg, st, st->input);
}

static int cmd_scan(int argc, char **argv)
{
	// clang-format off
	static const struct argp_option options[] = {
		{ "checkpoint-map", OPT_MAP, "FILE|ovmf|efi|linux|seabios", 0, "name values by this map; may be repeated", 0 },
		{ 0 },
	};
	// clang-format on
	static const struct argp argp = {
		.options = options,
		.parser = parse_scan,
		.args_doc = "IMAGE",
		.doc = "Find where a firmware image, or an ELF kernel, writes constants to port 0x80. "
		       "Prints a map file.",
	};
	struct input in = { .least = 1, .most = 1 };
	char name[] = "gdbvm checkpoints scan";

	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &in);
	return scan(&in);
}

/* ---- all of them ---- */

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} actions[] = {
	{ "show", cmd_show, "the records of a file: a table, or another form" },
	{ "diff", cmd_diff, "two boots beside each other: what differs, and where the time went" },
	{ "report", cmd_report, "a page for a browser: the timeline of a boot, or of two" },
	{ "scan", cmd_scan, "where a firmware image or a kernel writes checkpoints" },
};

static void usage(FILE *to)
{
	fputs("usage: gdbvm checkpoints ACTION [OPTION...] FILE (ACTION --help says more)\n\n", to);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		fprintf(to, "  %-8s %s\n", actions[i].name, actions[i].help);
}

int cmd_checkpoints(int argc, char **argv)
{
	argp_err_exit_status = CMD_USAGE;
	signal(SIGPIPE, SIG_DFL); // who reads only the beginning is done
	for (size_t i = 0; i < ARRAY_LEN(actions) && argc > 1; i++)
		if (strcmp(argv[1], actions[i].name) == 0)
			return actions[i].run(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return CMD_OK;
	}
	if (argc > 1)
		fprintf(stderr, "gdbvm checkpoints: unknown action '%s'\n", argv[1]);
	usage(stderr);
	return CMD_USAGE;
}

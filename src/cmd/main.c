/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "util/log.h"
#include "version.h"

static int cmd_version(int argc, char **argv)
{
	puts("gdbvm " GDBVM_VERSION);
	return CMD_OK;
}

static int cmd_help(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "start a guest, with a debug server if --gdb is given (gdbvm run --help)" },
	{ "attach", cmd_attach, "debug the guest of another debug server (gdbvm attach --help)" },
	{ "trace", cmd_trace, "record the checkpoints of the guest of another VMM (gdbvm trace --help)" },
	{ "checkpoints", cmd_checkpoints, "look at recorded checkpoints (gdbvm checkpoints --help)" },
	{ "decode", cmd_decode, "say what the value of an arm64 register means (gdbvm decode --help)" },
	{ "help", cmd_help, "this text" },
	{ "version", cmd_version, "the version" },
};

static int cmd_help(int argc, char **argv)
{
	puts("gdbvm: a debug server for virtual machines\n\nusage: gdbvm COMMAND [OPTION...]\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-11s %s\n", commands[i].name, commands[i].help);
	puts("\nExample: gdbvm run -k vmlinuz -i initrd -p console=ttyS0 -c 2 -m 512 --gdb 1234 --gdb-wait");
	return CMD_OK;
}

static const struct command *find(const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int no_command(const char *said)
{
	const size_t last = ARRAY_LEN(commands) - 1;

	fprintf(stderr, said ? "gdbvm: unknown command '%s'" : "gdbvm: no command", said);
	for (size_t i = 0; i <= last; i++)
		fprintf(stderr, "%s%s", i == 0 ? ": expected " : i < last ? ", " : " or ", commands[i].name);
	fputc('\n', stderr);
	return CMD_USAGE;
}

/* A standard descriptor that is closed would become something of ours, and be written to. */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	closep(&fd);
}

/* Texts of --help, of argp's too, are not written until the end. */
static void end_output(void)
{
	const bool failed = ferror(stdout);

	signal(SIGPIPE, SIG_DFL); // who reads only the beginning is done
	if (fflush(stdout) == 0 && !failed)
		return;
	fputs("gdbvm: cannot write standard output\n", stderr);
	_exit(CMD_FILE);
}

int main(int argc, char **argv)
{
	const struct command *c = argc > 1 ? find(argv[1]) : NULL;
	struct errtext why;

	fill_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	atexit(end_output);
	if (log_setup(getenv("GDBVM_LOG"), &why) < 0) {
		fprintf(stderr, "gdbvm: GDBVM_LOG: %s\n", why.text);
		return CMD_USAGE;
	}
	if (!c)
		return no_command(argc > 1 ? argv[1] : NULL);
	return c->run(argc - 1, argv + 1);
}

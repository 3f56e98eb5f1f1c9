/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "trace/trace.h"
#include "util/cursor.h"
#include "util/macros.h"

enum { PROCESSORS_MAX = 8192 }; // as many as Linux can have

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static DIR *open_dir(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return opendir(path);
}

void trace_process_threads(pid_t pid, void (*each)(void *arg, int tid), void *arg)
{
	_cleanup_(closedirp) DIR *d = open_dir(pid, "task");

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			each(arg, atoi(e->d_name));
}

/* vCPUs by the descriptors that the process has of them; -1: they cannot be seen. */
static int count_vcpus(pid_t pid)
{
	_cleanup_(closedirp) DIR *d = open_dir(pid, "fd");
	int n = 0;

	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));) {
		char to[64] = "";

		if (readlinkat(dirfd(d), e->d_name, to, sizeof(to) - 1) > 0)
			n += strncmp(to, "anon_inode:kvm-vcpu", 19) == 0;
	}
	return n;
}

/* What the process, or the thread of it, calls itself: one line, "" if it is gone. */
static void read_name(const char *path, char name[32])
{
	FILE *f = fopen(path, "re");

	name[0] = '\0';
	if (!f)
		return;
	if (!fgets(name, 32, f))
		name[0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	fclose(f);
}

int trace_name_vcpu(const char *name)
{
	const char *p = strcasestr(name, "cpu");
	struct cur c;

	if (!p)
		return -1;
	p += 3;
	p += *p && strchr(" -_:", *p);
	c = cur_init(p, strspn(p, "0123456789"));
	const uint64_t n = cur_dec(&c);
	return cur_done(&c) && n <= INT16_MAX ? (int)n : -1;
}

int trace_process_vcpu(pid_t pid, int tid)
{
	char path[64], name[32];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, tid);
	read_name(path, name);
	return trace_name_vcpu(name);
}

void trace_process_text(pid_t pid, struct errtext *out)
{
	char path[64], name[32];
	const int n = count_vcpus(pid);

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	read_name(path, name);
	for (char *p = name; *p; p++) // a process may call itself anything
		*p = *p >= ' ' && *p <= '~' ? *p : '.';
	if (n > 0)
		errtext_set(out, 0, "%d (%s), %d vCPU%s", (int)pid, name, n, n == 1 ? "" : "s");
	else
		errtext_set(out, 0, "%d (%s)%s", (int)pid, name, n ? "" : ", which has no guest in KVM (yet)");
}

static bool add_range(unsigned **list, unsigned *n, uint64_t first, uint64_t last)
{
	unsigned *grown;

	if (last < first || last >= PROCESSORS_MAX || *n + last - first >= PROCESSORS_MAX)
		return false;
	grown = reallocarray(*list, *n + last - first + 1, sizeof(**list));
	if (!grown)
		return false;
	*list = grown;
	for (; first <= last; first++)
		grown[(*n)++] = (unsigned)first;
	return true;
}

int trace_list_parse(const char *text, unsigned **ret, unsigned *n)
{
	struct cur c = cur_init(text, strcspn(text, "\n"));
	_cleanup_(freep) unsigned *list = NULL;
	unsigned count = 0;

	do {
		const uint64_t first = cur_dec(&c), last = cur_try(&c, '-') ? cur_dec(&c) : first;

		if (c.bad || !add_range(&list, &count, first, last))
			return -EPROTO;
	} while (cur_try(&c, ','));
	if (!cur_done(&c))
		return -EPROTO;
	*ret = take_ptr(list);
	*n = count;
	return 0;
}

int trace_processors(unsigned **online, unsigned *n)
{
	_cleanup_(closep) int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	return trace_list_parse(text, online, n);
}

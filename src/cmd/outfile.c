/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A link that leads nowhere yet is neither: what it leads to is made by opening it. */
static bool is_regular_or_new(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? S_ISREG(st.st_mode) : lstat(path, &st) < 0;
}

/* It is what a link leads to that is replaced, not the link. */
static int prepare_replacement(struct outfile *f)
{
	f->real = realpath(f->path, NULL) ?: strdup(f->path);
	if (f->real && asprintf(&f->temp, "%s.%d.new", f->real, (int)getpid()) < 0)
		f->temp = NULL;
	return f->temp ? 0 : -ENOMEM;
}

int outfile_open(struct outfile *f, const char *path, struct errtext *why)
{
	*f = (struct outfile){ .path = path, .fd = -1 };
	if (!path)
		return 0;
	if (is_regular_or_new(path) && prepare_replacement(f) < 0)
		return errtext_set(why, -ENOMEM, "no memory for %s", path);
	f->fd = open(f->temp ?: path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return f->fd < 0 ? errtext_set(why, -errno, "cannot write %s: %s", path, strerror(errno)) : 0;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		const ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		p += MAX(done, 0);
		n -= (size_t)MAX(done, 0);
	}
	return 0;
}

int outfile_put(struct outfile *f, const struct strbuf *text, struct errtext *why)
{
	if (!f->path)
		return 0;

	int rc = text->oom ? -ENOMEM : write_all(f->fd, strbuf_str(text), text->len);
	if (rc == 0 && f->temp && rename(f->temp, f->real) < 0)
		rc = -errno;
	if (rc < 0)
		return errtext_set(why, rc, "cannot write %s: %s", f->path, strerror(-rc));
	free(f->temp);
	f->temp = NULL;
	return 0;
}

void outfile_close(struct outfile *f)
{
	if (f->temp)
		unlink(f->temp);
	free(f->temp);
	free(f->real);
	if (f->path)
		closep(&f->fd);
	*f = (struct outfile){ .fd = -1 };
}

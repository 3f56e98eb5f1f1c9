/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/event.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/macros.h"

enum { FORMAT_LOST = 1 << 4 }; // PERF_FORMAT_LOST, since Linux 6.0

static int open_fd(const struct trace_event_cfg *cfg)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = cfg->id,
		.sample_period = 1,
		.sample_type = TRACE_RING_SAMPLES,
		.sample_id_all = true,
		.use_clockid = true,
		.clockid = CLOCK_MONOTONIC,
		.disabled = true,
		.watermark = !cfg->once, // the ring is looked at in time: nobody needs to be woken
		.read_format = FORMAT_LOST,
	};
	int fd;

	if (cfg->once)
		attr.wakeup_events = 1;
	else
		attr.wakeup_watermark = (uint32_t)cfg->ring_size / 2;
	fd = (int)syscall(SYS_perf_event_open, &attr, cfg->tid, cfg->cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 && errno == EINVAL) {
		attr.read_format = 0;
		fd = (int)syscall(SYS_perf_event_open, &attr, cfg->tid, cfg->cpu, -1, PERF_FLAG_FD_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

int trace_event_open(const struct trace_event_cfg *cfg, struct trace_event *ret)
{
	_cleanup_(closep) int fd = open_fd(cfg);
	struct trace_ring ring;
	int rc;

	if (fd < 0)
		return fd;
	if (cfg->filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, cfg->filter) < 0)
		return -errno;
	rc = trace_ring_map(&ring, fd, cfg->ring_size);
	if (rc < 0)
		return rc;
	if ((cfg->once ? ioctl(fd, PERF_EVENT_IOC_REFRESH, 1) : ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) < 0) {
		rc = -errno;
		trace_ring_unmap(&ring);
		return rc;
	}
	*ret = (struct trace_event){ .fd = fd, .ring = ring };
	fd = -1;
	return 0;
}

void trace_event_close(struct trace_event *e)
{
	trace_ring_unmap(&e->ring);
	closep(&e->fd);
	e->fd = -1;
}

void trace_event_rearm(struct trace_event *e)
{
	ioctl(e->fd, PERF_EVENT_IOC_REFRESH, 1);
}

uint64_t trace_event_lost(const struct trace_event *e)
{
	struct {
		uint64_t value, lost;
	} now;

	return read(e->fd, &now, sizeof(now)) == sizeof(now) ? now.lost : 0;
}

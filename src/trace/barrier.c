/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * A sample gets its time first and is in the ring later. In between the kernel cannot be preempted, and this call of
 * membarrier(2) waits until every processor has been where it can.
 */
bool trace_barrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}

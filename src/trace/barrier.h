/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TRACE_BARRIER_H
#define TRACE_BARRIER_H

#include <stdbool.h>

/**
 * trace_barrier() - after it, every sample that any processor of the host had begun to write before is in its ring.
 * Takes some 10 ms. Returns: false: this kernel cannot do that (some processors are without a tick).
 */
bool trace_barrier(void);

#endif

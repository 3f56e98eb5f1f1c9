/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_ALIGN_H
#define CHECKPOINT_ALIGN_H

#include <stddef.h>
#include <stdint.h>

#define ALIGN_NONE SIZE_MAX

/**
 * align() - which elements of two sequences belong together: a common subsequence, as long as can be found in time that
 * grows with the length and not with its square. It is the longest one unless very much differs.
 * @match: @na elements; where an element of @a is in @b, or ALIGN_NONE. Ascending.
 * Returns: 0; -ENOMEM.
 */
int align(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, size_t *match);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_INTERNAL_H
#define CHECKPOINT_INTERNAL_H

#include "checkpoint/checkpoint.h"

#define NS_PER_S UINT64_C(1000000000)

enum { CHECKPOINT_VERSION = 1 }; /* of the file; a reader takes its own and refuses later ones */

/* What modes, and marks, are called in the file. */
extern const char *const checkpoint_mode_names[CHECKPOINT_NMODES];
extern const char *const checkpoint_mark_names[CHECKPOINT_NKINDS];

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
__asm__(".code16gcc");

#define FUNCTION frames16
#include "frames_c.h"

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define FUNCTION frames32
#include "frames_c.h"

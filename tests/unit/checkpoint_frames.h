/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_UNIT_CHECKPOINT_FRAMES_H
#define TESTS_UNIT_CHECKPOINT_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"

/* A guest's side of docs/checkpoints.md, "Frames", written from there. Returns: bytes on the wire in @out. */
static size_t frame_make(uint8_t kind, uint16_t id, const void *payload, uint16_t len, uint8_t *out)
{
	uint8_t msg[5 + 4104 + 4] = { kind };
	uint32_t sum = 2166136261u, bits = 0;
	unsigned nbits = 0;
	size_t n = 0;

	st_le16(msg + 1, id);
	st_le16(msg + 3, len);
	memcpy(msg + 5, payload, len);
	for (unsigned i = 0; i < 5u + len; i++)
		sum = (sum ^ msg[i]) * 16777619u;
	st_le32(msg + 5 + len, sum);
	out[n++] = 0x7e;
	for (unsigned i = 0; i < 9u + len; i++) {
		bits |= (uint32_t)msg[i] << nbits;
		for (nbits += 8; nbits >= 7; nbits -= 7, bits >>= 7)
			out[n++] = 0x80 | (bits & 0x7f);
	}
	if (nbits)
		out[n++] = (uint8_t)(0x80 | bits);
	return n;
}

#endif

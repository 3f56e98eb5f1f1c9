/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CHECKPOINT_FRAME_H
#define CHECKPOINT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/strbuf.h"

/* Framed records: docs/checkpoints.md, "Frames", has the format. */
enum {
	FRAME_START = 0x7e,
	FRAME_HEAD = 5,  // kind, id, length of the payload
	FRAME_CHECK = 4, // check sum
	FRAME_PAYLOAD_MAX = 4096 + 8,
};

enum frame_kind {
	FRAME_U64 = 1,
	FRAME_MEM = 2,
	FRAME_REGS_X86_64 = 0x10,
	FRAME_REGS_I386 = 0x11,
	FRAME_REGS_ARM64 = 0x12,
};

struct frame {
	bool open;
	uint32_t bits; /* not yet a byte */
	unsigned nbits;
	size_t have;
	uint8_t msg[FRAME_HEAD + FRAME_PAYLOAD_MAX + FRAME_CHECK];
};

enum frame_event {
	FRAME_NONE,   /* the byte does not belong to a frame */
	FRAME_BEGINS, /* whatever frame was open is broken */
	FRAME_GOES_ON,
	FRAME_DONE,
	FRAME_BROKEN,  /* what was thought to be one is none */
	FRAME_IS_NONE, /* likewise, after its first byte alone: the byte does not belong to one */
};

/** frame_feed() - one byte from the wire. @why: of FRAME_BROKEN and FRAME_IS_NONE, a constant string. */
enum frame_event frame_feed(struct frame *f, uint8_t byte, const char **why);

/* Of a whole one. */
enum frame_kind frame_kind(const struct frame *f);
uint16_t frame_id(const struct frame *f); /* 0: none */
const char *frame_kind_name(const struct frame *f);

/** frame_is_kind_name() - is that the name of frames that have none of their own? */
bool frame_is_kind_name(const char *name);

/** frame_fields() - of a frame that is done, as NAME NUL VALUE NUL for each. Returns: how many. */
unsigned frame_fields(const struct frame *f, struct strbuf *out);

#endif

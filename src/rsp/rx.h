/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RSP_RX_H
#define RSP_RX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest packet body either side may send: PacketSize, in bytes without $, # and checksum. */
#define RSP_PACKET_MAX 0x40000u

enum rsp_event {
	RSP_MORE,     /* all input used, no event yet */
	RSP_PACKET,   /* rx->buf[0..len): body, unescaped and run-length expanded */
	RSP_BAD_SUM,  /* a frame whose checksum is wrong or not hex, or with a run count that is none: answer '-' */
	RSP_BREAK,    /* 0x03 outside a packet */
	RSP_ACK,      /* '+' */
	RSP_NAK,      /* '-' */
	RSP_TOO_LONG, /* a whole frame with a body over RSP_PACKET_MAX was skipped */
	RSP_FOREIGN,  /* a byte that cannot start anything in RSP (an HTTP request, say) */
};

/* Receiver state. Start from all zero. No allocation: the buffer is part of it. */
struct rsp_rx {
	int state;
	uint8_t sum, want;
	bool overflow, malformed, escape;
	size_t len;
	uint8_t buf[RSP_PACKET_MAX + 1]; /* one spare byte: parsers end text in place */
};

/**
 * rsp_rx_feed() - consume up to and including one event.
 * @in: @n bytes from the wire.  @ev: what was found.
 * Shape:   the checksum runs over raw wire bytes, so any legal encoding of the peer passes. A '$' inside a
 *          frame starts a new frame. A 0x03 inside a frame is data. Binary (X) bodies are unescaped too.
 * Thread:  any, one at a time per @rx; no I/O.
 * Returns: bytes of @in used; call again with the rest.
 * Source:  GDB manual, "Remote Protocol: Overview", "Packet Acknowledgment", "Interrupts".
 */
size_t rsp_rx_feed(struct rsp_rx *rx, const uint8_t *in, size_t n, enum rsp_event *ev);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rsp/rx.h"

#include "util/cursor.h"

enum { IDLE, BODY, RUN, SUM_HI, SUM_LO };

static void frame_begin(struct rsp_rx *rx)
{
	rx->state = BODY;
	rx->sum = 0;
	rx->len = 0;
	rx->overflow = rx->malformed = rx->escape = false;
}

static void put(struct rsp_rx *rx, uint8_t ch)
{
	if (rx->len < RSP_PACKET_MAX)
		rx->buf[rx->len++] = ch;
	else
		rx->overflow = true;
}

/* A byte between packets. */
static enum rsp_event idle_byte(struct rsp_rx *rx, uint8_t ch)
{
	switch (ch) {
	case '+':
		return RSP_ACK;
	case '-':
		return RSP_NAK;
	case 0x03:
		return RSP_BREAK;
	default:
		return RSP_FOREIGN;
	}
}

/* A byte of the body; the checksum runs over what is on the wire, before unescaping. */
static void body_byte(struct rsp_rx *rx, uint8_t ch)
{
	if (ch == '#') {
		rx->state = SUM_HI;
		return;
	}
	rx->sum += ch;
	if (rx->escape) {
		put(rx, ch ^ 0x20);
		rx->escape = false;
	} else if (ch == '}') {
		rx->escape = true;
	} else if (ch == '*' && rx->len > 0) {
		rx->state = RUN;
	} else {
		put(rx, ch);
	}
}

/* The count behind '*': that many more of the last byte, plus 29. */
static void run_byte(struct rsp_rx *rx, uint8_t ch)
{
	rx->state = BODY;
	if (ch < 29 + 3 || ch > 126 || ch == '#') {
		rx->malformed = true;
		body_byte(rx, ch);
		return;
	}
	rx->sum += ch;
	for (int i = ch - 29; i > 0; i--)
		put(rx, rx->buf[rx->len - 1]);
}

static enum rsp_event sum_done(struct rsp_rx *rx, int hi, int lo)
{
	rx->state = IDLE;
	if (hi < 0 || lo < 0 || (hi << 4 | lo) != rx->sum || rx->malformed)
		return RSP_BAD_SUM;
	return rx->overflow ? RSP_TOO_LONG : RSP_PACKET;
}

static enum rsp_event one_byte(struct rsp_rx *rx, uint8_t ch)
{
	if (ch == '$') { // always the start of a frame: inside one it would be escaped
		frame_begin(rx);
		return RSP_MORE;
	}
	switch (rx->state) {
	case BODY:
		body_byte(rx, ch);
		return RSP_MORE;
	case RUN:
		run_byte(rx, ch);
		return RSP_MORE;
	case SUM_HI:
		rx->want = ch;
		rx->state = SUM_LO;
		return RSP_MORE;
	case SUM_LO:
		return sum_done(rx, hex_digit(rx->want), hex_digit(ch));
	default:
		return idle_byte(rx, ch);
	}
}

/* Bytes of the body that mean themselves: nearly all of any packet. Returns: how many were taken. */
static size_t plain_bytes(struct rsp_rx *rx, const uint8_t *in, size_t n)
{
	const size_t room = RSP_PACKET_MAX - rx->len, end = n < room ? n : room;
	uint8_t *to = rx->buf + rx->len, sum = rx->sum;
	size_t i = 0;

	for (; i < end && in[i] != '#' && in[i] != '$' && in[i] != '}' && in[i] != '*'; i++)
		sum += to[i] = in[i];
	rx->len += i;
	rx->sum = sum;
	return i;
}

size_t rsp_rx_feed(struct rsp_rx *rx, const uint8_t *in, size_t n, enum rsp_event *ev)
{
	*ev = RSP_MORE;
	for (size_t i = 0; i < n; i++) {
		if (rx->state == BODY && !rx->escape)
			i += plain_bytes(rx, in + i, n - i);
		if (i == n)
			break;
		*ev = one_byte(rx, in[i]);
		if (*ev != RSP_MORE)
			return i + 1;
	}
	return n;
}

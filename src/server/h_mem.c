/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/macros.h"

/* Memory: m M X x qSearch qCRC, and whether addresses are virtual or physical. */

/* Read at most @max bytes of what the request wants; a short answer is legal and tells GDB where memory ends. */
static int read_mem(struct session *s, const struct rsp_req *r, size_t max, uint8_t *buf, size_t *n)
{
	size_t want = (size_t)MIN(r->mem.len, max);

	*n = 0;
	if (want == 0)
		return 0;
	return engine_mem_read(s->e, session_vcpu_g(s), session_space(s), r->mem.at, buf, want, n);
}

int h_mem_read(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const size_t want = (size_t)MIN(r->mem.len, PKT_SIZE / 2);
	uint8_t *room = rsp_out_hex_room(out, want);
	size_t n;
	int rc = room ? read_mem(s, r, want, room, &n) : -ENOMEM;

	if (rc == 0)
		rsp_out_hex_take(out, want, n);
	return rc;
}

/*
 * Binary read, with a 'b' before the data for clients that use it because we announce binary-upload+. An LLDB older
 * than that feature probes with x0,0: OK tells it that there is such a packet, and it takes the data as it is.
 */
int h_mem_read_binary(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	uint8_t *room;
	size_t n;
	int rc;

	s->bare_x |= r->mem.at == 0 && r->mem.len == 0;
	if (s->bare_x && r->mem.len == 0) {
		rsp_out_ok(out);
		return 0;
	}
	if (!s->bare_x)
		rsp_out_str(out, "b");
	room = rsp_out_bytes_room(out, (size_t)MIN(r->mem.len, PKT_SIZE - 1));
	rc = room ? read_mem(s, r, PKT_SIZE - 1, room, &n) : -ENOMEM;
	if (rc == 0)
		rsp_out_bytes_take(out, n, PKT_SIZE - 1);
	return rc;
}

int h_mem_write(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	size_t done = 0;
	int rc = 0;

	if (r->mem.len > 0)
		rc = engine_mem_write(s->e, session_vcpu_g(s), session_space(s), r->mem.at, r->mem.data,
				      (size_t)r->mem.len, &done);
	if (rc == 0 && done < r->mem.len)
		rc = -EFAULT; // OK would say that all of it was written
	if (rc == 0)
		rsp_out_ok(out);
	return rc;
}

int h_mem_search(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	uint64_t found;
	int rc = engine_mem_search(s->e, session_vcpu_g(s), session_space(s), r->search.at, r->search.len,
				   r->search.pat, r->search.pat_len, &found);

	if (rc < 0)
		return rc;
	if (rc > 0)
		rsp_out_fmt(out, "1,%" PRIx64, found);
	else
		rsp_out_str(out, "0");
	return 0;
}

int h_mem_crc(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	uint32_t crc;
	int rc = engine_mem_crc(s->e, session_vcpu_g(s), session_space(s), r->mem.at, r->mem.len, &crc);

	if (rc == 0)
		rsp_out_fmt(out, "C%08x", crc);
	return rc;
}

int h_phys_get(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	rsp_out_str(out, s->phys ? "1" : "0");
	return 0;
}

int h_phys_set(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	if (r->num.value > 1)
		return -EINVAL;
	s->phys = r->num.value;
	rsp_out_ok(out);
	return 0;
}

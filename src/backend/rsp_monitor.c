/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU that somebody else started says on the monitor behind its gdbstub. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/hmp.h"
#include "backend/rsp_internal.h"
#include "util/cursor.h"

/* A reply of text: the letter O and hex. Anything else ends the command. */
static bool text_take(const uint8_t *body, size_t n, struct strbuf *out)
{
	if (n % 2 == 0 || body[0] != 'O')
		return false;
	for (size_t i = 1; i < n; i += 2) {
		int hi = hex_digit(body[i]), lo = hex_digit(body[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		strbuf_addc(out, (char)(hi << 4 | lo));
	}
	return true;
}

int rsp_monitor_locked(struct rsp_target *r, const char *line, struct strbuf *out)
{
	_cleanup_(strbuf_deinit) struct strbuf req = { 0 };
	const uint8_t *body;
	size_t n;
	int rc;

	strbuf_adds(&req, "qRcmd,");
	strbuf_addhex(&req, line, strlen(line));
	rc = req.oom ? -ENOMEM : rsp_ask_locked(r, req.s, &body, &n);
	while (rc == 0 && text_take(body, n, out))
		rc = rsp_conn_recv(&r->conn, RSP_CONN_REPLY_MS, &body, &n);
	if (rc == 0)
		rc = rsp_reply_check(body, n);
	return rc == 0 && out->oom ? -ENOMEM : rc;
}

/* A line about one vCPU: the monitor has a current one. */
static int say(void *arg, unsigned vcpu, const char *line, struct strbuf *out)
{
	_cleanup_(strbuf_deinit) struct strbuf none = { 0 };
	struct rsp_target *r = arg;
	char select[16];
	int rc;

	snprintf(select, sizeof(select), "cpu %u", vcpu);
	rc = rsp_monitor_locked(r, select, &none);
	return rc < 0 ? rc : rsp_monitor_locked(r, line, out);
}

static int hook_regs_read(void *arg, unsigned vcpu, uint32_t groups, struct arch_regs *r)
{
	return hmp_regs_read(say, arg, vcpu, groups, r);
}

static bool hook_vcpu_online(void *arg, unsigned vcpu)
{
	struct rsp_target *r = arg;
	struct hmp_cpu c;

	return vcpu == 0 || r->in_flight || hmp_cpu_read(say, r, vcpu, &c) < 0 || hmp_cpu_online(&c);
}

static int hook_info(void *arg, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	return hmp_info(say, arg, what, vcpu, out);
}

static const struct backend_rsp_hooks qemu_x86 = {
	.st_physical = true,
	.regs_read = hook_regs_read,
	.vcpu_online = hook_vcpu_online,
	.info = hook_info,
};

void rsp_monitor_use(struct rsp_target *r)
{
	struct hmp_cpu c;

	if (r->t.arch != &arch_x86 || hmp_cpu_read(say, r, 0, &c) < 0)
		return;
	r->hooks = &qemu_x86;
	r->arg = r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "server/internal.h"
#include "server/packets.h"
#include "util/macros.h"

/*
 * What LLDB asks beyond GDB's packets. Registers, widths and numbers are those of the session's layout, memory is what
 * the page tables say. Source: LLDB's document lldb-gdb-remote.
 */

/* ---- how the client wants replies ---- */

int h_thread_suffix(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	s->thread_suffix = true;
	rsp_out_ok(out);
	return 0;
}

int h_list_threads(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	s->lists_threads = true;
	rsp_out_ok(out);
	return 0;
}

int h_error_strings(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	s->error_form = RSP_ERROR_BOTH;
	rsp_out_ok(out);
	return 0;
}

/* Sent after a timeout, to find out which reply belongs to which packet. */
int h_echo(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	rsp_out_str(out, "qEcho:");
	rsp_out_bytes(out, r->text.s, r->text.n);
	return 0;
}

/* ---- what is debugged ---- */

static int add_machine(struct session *s, struct rsp_out *out)
{
	const struct arch_layout *l;
	int rc = session_layout(s, &l);

	if (rc < 0)
		return rc;
	rsp_out_str(out, "triple:");
	rsp_out_hexstr(out, l->triple);
	rsp_out_fmt(out, ";ptrsize:%u;endian:little;", l->addr_bits / 8);
	return 0;
}

int h_host_info(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	bool before = engine_target(s->e)->arch->watch_before;
	int rc = add_machine(s, out);

	if (rc == 0)
		rsp_out_fmt(out, "watchpoint_exceptions_received:%s;", before ? "before" : "after");
	return rc;
}

/* There is one process, the guest. */
int h_process_info(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	rsp_out_str(out, "pid:1;");
	return add_machine(s, out);
}

int h_watch_slots(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	bool any = engine_bp_supported(s->e, ENGINE_WATCH_W) || engine_bp_supported(s->e, ENGINE_WATCH_A);

	rsp_out_fmt(out, "num:%u;", any ? engine_target(s->e)->hw_max.watch : 0);
	return 0;
}

/* ---- registers ---- */

static bool is_vector(const struct reg_desc *d)
{
	return d->type == REG_I387 || d->type == REG_VEC128 || d->type == REG_UINT128 || d->type == REG_ARM64_V ||
	       d->type == REG_ARM64_Z || d->type == REG_ARM64_P;
}

static const char *generic_name(const struct arch_layout *l, unsigned num)
{
	if (l->lr && num == l->lr)
		return "ra";
	return num == l->pc ? "pc" : num == l->sp ? "sp" : num == l->fp ? "fp" : num == l->flags ? "flags" : NULL;
}

static size_t g_offset(const struct arch_layout *l, unsigned num)
{
	size_t at = 0;

	for (unsigned i = 0; i < num; i++)
		at += arch_reg_size(l, i);
	return at;
}

/* One register after the other until an error: the way of an LLDB that was built without an XML parser. */
int h_register_info(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const struct arch_layout *l;
	const struct reg_desc *d;
	const char *generic;
	int rc = session_layout(s, &l), dwarf;

	if (rc < 0)
		return rc;
	if (r->has_suffix || r->reg.num >= l->nregs)
		return -EINVAL;
	d = &l->regs[r->reg.num];
	rsp_out_fmt(out, "name:%s;bitsize:%u;offset:%zu;encoding:%s;format:%s;set:%s;", d->name, d->bits,
		    g_offset(l, r->reg.num), is_vector(d) ? "vector" : "uint", is_vector(d) ? "vector-uint8" : "hex",
		    d->gdb_group);
	dwarf = arch_reg_dwarf(l, r->reg.num);
	if (dwarf >= 0)
		rsp_out_fmt(out, "ehframe:%d;dwarf:%d;", dwarf, dwarf);
	generic = generic_name(l, r->reg.num);
	if (generic)
		rsp_out_fmt(out, "generic:%s;", generic);
	return 0;
}

/* ---- memory regions ---- */

/* Addresses that have one answer: [start, last], so that the top of the address space needs no 65th bit. */
struct span {
	uint64_t start, last;
	uint8_t perm;     /* enum mmu_perm; 0: nothing there */
	const char *name; /* NULL: none */
};

static uint8_t kind_perm(enum target_mem_kind kind)
{
	static const uint8_t perms[] = {
		[TARGET_RAM] = MMU_R | MMU_W | MMU_X,
		[TARGET_ROM] = MMU_R | MMU_X,
		[TARGET_MMIO] = MMU_R | MMU_W,
	};

	return perms[kind];
}

/* The region of the physical memory map around @at, or the gap between two. */
static int phys_span(struct session *s, uint64_t at, struct span *ret)
{
	const struct target_region *map;
	unsigned n;
	int rc = target_mem_map(engine_target(s->e), &map, &n);

	if (rc < 0)
		return rc;
	*ret = (struct span){ 0, UINT64_MAX, 0, NULL };
	for (unsigned i = 0; i < n; i++) {
		uint64_t start = map[i].start.raw, last = start + map[i].size - 1;

		if (at < start) {
			ret->last = start - 1;
			break;
		}
		if (at <= last) {
			*ret = (struct span){ start, last, kind_perm(map[i].kind), map[i].name };
			break;
		}
		ret->start = last + 1;
	}
	return 0;
}

/* The page around @at as far as one region of physical memory is behind it, or the hole in the page tables. */
static int virt_span(struct session *s, uint64_t at, struct span *ret)
{
	struct mmu_xlat x;
	struct span phys;
	uint64_t to_phys;
	int rc = engine_translate(s->e, session_vcpu_g(s), GVA(at), &x);

	if (rc < 0)
		return rc;
	*ret = (struct span){ x.start.raw, x.start.raw + x.size - 1, 0, NULL };
	if (!x.mapped)
		return 0;
	to_phys = x.phys.raw - x.start.raw;
	rc = phys_span(s, at + to_phys, &phys);
	if (rc < 0)
		return rc;
	ret->perm = phys.perm ? x.perm : 0;
	ret->name = phys.name;
	if (at - ret->start > at + to_phys - phys.start)
		ret->start = phys.start - to_phys;
	if (ret->last - at > phys.last - (at + to_phys))
		ret->last = phys.last - to_phys;
	return 0;
}

int h_memory_region(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	struct span m;
	int rc = s->phys ? phys_span(s, r->num.value, &m) : virt_span(s, r->num.value, &m);
	uint64_t size;

	if (rc < 0)
		return rc;
	size = m.last - m.start + 1;
	rsp_out_fmt(out, "start:%" PRIx64 ";size:%" PRIx64 ";", m.start, size ? size : UINT64_MAX);
	if (!m.perm)
		return 0; // without permissions it is a hole
	rsp_out_fmt(out, "permissions:%s%s%s;", m.perm & MMU_R ? "r" : "", m.perm & MMU_W ? "w" : "",
		    m.perm & MMU_X ? "x" : "");
	if (m.name) {
		rsp_out_str(out, "name:");
		rsp_out_hexstr(out, m.name);
		rsp_out_str(out, ";");
	}
	return 0;
}

/* ---- threads ---- */

int h_thread_stop(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	unsigned vcpu;
	int rc = r->thread.tid.id > 0 ? session_vcpu(s, r->thread.tid, &vcpu) : -EINVAL;

	if (rc == 0)
		stop_reply_thread(s, vcpu, out);
	return rc;
}

/* What cannot be read is left out. Returns the separator for the next one. */
static const char *add_json_reg(struct session *s, unsigned vcpu, const struct arch_layout *l, unsigned num,
				const char *separator, struct rsp_out *out)
{
	struct arch_regs *regs;
	uint8_t buf[8];

	if (engine_regs(s->e, vcpu, arch_reg_groups(l, num), &regs) < 0 || arch_reg_get(l, num, regs, buf) < 0)
		return separator;
	rsp_out_fmt(out, "%s\"%u\":\"", separator, num);
	rsp_out_hex(out, buf, arch_reg_size(l, num));
	rsp_out_str(out, "\"");
	return ",";
}

/* No text in it needs a JSON escape: the names are ours. */
static void add_json_thread(struct session *s, unsigned vcpu, const struct arch_layout *l, struct rsp_out *out)
{
	const char *reason;
	int sig = stop_reply_signal(s, vcpu, &reason);

	rsp_out_fmt(out, "{\"tid\":%u,\"name\":\"vCPU %u\",\"reason\":\"%s\"", session_thread(vcpu), vcpu, reason);
	if (sig)
		rsp_out_fmt(out, ",\"signal\":%d", sig);
	if (sig && s->last_stop.why == STOP_WATCH)
		rsp_out_fmt(out, ",\"description\":\"%" PRIu64 "\"", s->last_stop.watch_at.raw);
	rsp_out_str(out, ",\"registers\":{");
	add_json_reg(s, vcpu, l, l->sp, add_json_reg(s, vcpu, l, l->pc, "", out), out);
	rsp_out_str(out, "}}");
}

int h_threads_json(struct session *s, const struct rsp_req *r, struct rsp_out *out)
{
	const struct arch_layout *l;
	int rc = session_layout(s, &l);

	if (rc < 0)
		return rc;
	rsp_out_str(out, "[");
	for (unsigned i = 0; i < engine_target(s->e)->nvcpus; i++) {
		rsp_out_str(out, i ? "," : "");
		add_json_thread(s, i, l, out);
	}
	rsp_out_str(out, "]");
	return 0;
}

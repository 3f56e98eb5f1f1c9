/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SERVER_PACKETS_H
#define SERVER_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rsp/out.h"
#include "rsp/request.h"

/*
 * The packet table: one row per packet. Parsing, dispatch, the check for a stopped guest and docs/protocol.md (by
 * tools/check_protocol_doc.py) follow from it.
 */
struct session;

enum pkt_need {
	PKT_ANY,     /* any time */
	PKT_STOPPED, /* a stopped guest: -EBUSY otherwise */
	PKT_MEMORY,  /* likewise, but in physical-memory mode any time */
};

enum pkt_reply {
	PKT_ONE,  /* exactly one reply, now */
	PKT_STOP, /* a stop reply when the guest stops, or an error now */
	PKT_NONE, /* none */
};

/**
 * pkt_exec_fn - carry out a request.
 * @out: empty; filled with the reply. Returns: 0; negative errno: the dispatcher replaces @out by the error.
 */
typedef int pkt_exec_fn(struct session *s, const struct rsp_req *r, struct rsp_out *out);

struct pkt_def {
	const char *prefix;
	rsp_parse_fn *parse; /* gets what follows the prefix */
	pkt_exec_fn *exec;
	enum pkt_need need;
	enum pkt_reply reply;
	bool glued; /* a number follows without a separator: qRegisterInfo1f */
};

extern const struct pkt_def pkt_table[];
extern const unsigned pkt_table_len;

/**
 * pkt_find() - the row with the longest prefix that @body starts with; row order does not matter. A name of several
 * letters must end where the prefix ends: "qC" is not the row for "qCfoo".
 * Returns: NULL for an unknown packet, to be answered by the empty reply.
 */
const struct pkt_def *pkt_find(const struct pkt_def *table, unsigned n, const void *body, size_t len);

/* One token of the qSupported reply. */
struct pkt_feature {
	const char *token;
	const char *prefix; /* the row of pkt_table it announces */
	bool (*have)(const struct session *s);
};
extern const struct pkt_feature pkt_features[];
extern const unsigned pkt_features_len;

/* Largest body the client may send and we send: the receiver's buffer less the spare byte that parsers may need. */
enum { PKT_SIZE = 0x40000 - 1 };

/* Handlers by topic. h_regs.c */
pkt_exec_fn h_regs_read, h_regs_write, h_reg_read, h_reg_write, h_regs_save, h_regs_restore;
/* h_mem.c */
pkt_exec_fn h_mem_read, h_mem_write, h_mem_read_binary, h_mem_search, h_mem_crc, h_phys_get, h_phys_set;
/* h_run.c */
pkt_exec_fn h_continue, h_step, h_vcont, h_vcont_caps, h_thread_select, h_stop_reason, h_detach, h_kill, h_vkill,
	h_vattach, h_vrun, h_restart, h_extended;
/* h_query.c */
pkt_exec_fn h_supported, h_noack, h_current_thread, h_threads_first, h_threads_next, h_thread_extra, h_thread_alive,
	h_attached, h_monitor, h_symbol, h_unsupported, h_xfer_features, h_xfer_memory_map, h_xfer_threads;
/* h_break.c */
pkt_exec_fn h_break_insert, h_break_remove;
/* h_lldb.c */
pkt_exec_fn h_echo, h_error_strings, h_thread_suffix, h_list_threads, h_host_info, h_process_info, h_register_info,
	h_memory_region, h_watch_slots, h_thread_stop, h_threads_json;

#endif

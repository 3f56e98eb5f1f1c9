/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/packets.h"

#include <ctype.h>
#include <string.h>

#include "server/internal.h"
#include "util/macros.h"

_Static_assert(PKT_SIZE == RSP_PACKET_MAX - 1, "PacketSize follows the receiver's buffer");

// clang-format off
const struct pkt_def pkt_table[] = {
	{ "!",                    rsp_parse_none,    h_extended,        PKT_ANY,     PKT_ONE  },
	{ "?",                    rsp_parse_none,    h_stop_reason,     PKT_STOPPED, PKT_ONE  },
	{ "C",                    rsp_parse_run_sig, h_continue,        PKT_STOPPED, PKT_STOP },
	{ "D",                    rsp_parse_text,    h_detach,          PKT_ANY,     PKT_ONE  },
	{ "G",                    rsp_parse_regs,    h_regs_write,      PKT_STOPPED, PKT_ONE  },
	{ "H",                    rsp_parse_H,       h_thread_select,   PKT_ANY,     PKT_ONE  },
	{ "M",                    rsp_parse_mem_hex, h_mem_write,       PKT_MEMORY,  PKT_ONE  },
	{ "P",                    rsp_parse_reg_set, h_reg_write,       PKT_STOPPED, PKT_ONE  },
	{ "QEnableErrorStrings",  rsp_parse_none,    h_error_strings,   PKT_ANY,     PKT_ONE  },
	{ "QListThreadsInStopReply", rsp_parse_none,    h_list_threads,    PKT_ANY,     PKT_ONE  },
	{ "QRestoreRegisterState:", rsp_parse_restore, h_regs_restore,    PKT_STOPPED, PKT_ONE  },
	{ "QSaveRegisterState",   rsp_parse_thread,  h_regs_save,       PKT_STOPPED, PKT_ONE  },
	{ "QStartNoAckMode",      rsp_parse_none,    h_noack,           PKT_ANY,     PKT_ONE  },
	{ "QThreadSuffixSupported", rsp_parse_none,    h_thread_suffix,   PKT_ANY,     PKT_ONE  },
	{ "Qqemu.PhyMemMode:",    rsp_parse_num,     h_phys_set,        PKT_ANY,     PKT_ONE  },
	{ "S",                    rsp_parse_run_sig, h_step,            PKT_STOPPED, PKT_STOP },
	{ "R",                    rsp_parse_num,     h_restart,         PKT_STOPPED, PKT_NONE },
	{ "T",                    rsp_parse_tid,     h_thread_alive,    PKT_ANY,     PKT_ONE  },
	{ "X",                    rsp_parse_mem_bin, h_mem_write,       PKT_MEMORY,  PKT_ONE  },
	{ "Z",                    rsp_parse_bp,      h_break_insert,    PKT_STOPPED, PKT_ONE  },
	{ "c",                    rsp_parse_run,     h_continue,        PKT_STOPPED, PKT_STOP },
	{ "g",                    rsp_parse_thread,  h_regs_read,       PKT_STOPPED, PKT_ONE  },
	{ "jThreadsInfo",         rsp_parse_none,    h_threads_json,    PKT_STOPPED, PKT_ONE  },
	{ "k",                    rsp_parse_none,    h_kill,            PKT_ANY,     PKT_NONE },
	{ "m",                    rsp_parse_mem,     h_mem_read,        PKT_MEMORY,  PKT_ONE  },
	{ "p",                    rsp_parse_reg,     h_reg_read,        PKT_STOPPED, PKT_ONE  },
	{ "qAttached",            rsp_parse_text,    h_attached,        PKT_ANY,     PKT_ONE  },
	{ "qC",                   rsp_parse_none,    h_current_thread,  PKT_ANY,     PKT_ONE  },
	{ "qCRC:",                rsp_parse_mem,     h_mem_crc,         PKT_MEMORY,  PKT_ONE  },
	{ "qEcho:",               rsp_parse_text,    h_echo,            PKT_ANY,     PKT_ONE  },
	{ "qHostInfo",            rsp_parse_none,    h_host_info,       PKT_STOPPED, PKT_ONE  },
	{ "qMemoryRegionInfo:",   rsp_parse_num,     h_memory_region,   PKT_MEMORY,  PKT_ONE  },
	{ "qProcessInfo",         rsp_parse_none,    h_process_info,    PKT_STOPPED, PKT_ONE  },
	{ "qRcmd,",               rsp_parse_rcmd,    h_monitor,         PKT_STOPPED, PKT_ONE  },
	{ "qRegisterInfo",        rsp_parse_reg,     h_register_info,   PKT_STOPPED, PKT_ONE, .glued = true },
	{ "qSearch:memory:",      rsp_parse_search,  h_mem_search,      PKT_MEMORY,  PKT_ONE  },
	{ "qSupported",           rsp_parse_text,    h_supported,       PKT_ANY,     PKT_ONE  },
	{ "qSymbol:",             rsp_parse_text,    h_symbol,          PKT_ANY,     PKT_ONE  },
	{ "qThreadExtraInfo,",    rsp_parse_tid,     h_thread_extra,    PKT_ANY,     PKT_ONE  },
	{ "qThreadStopInfo",      rsp_parse_tid,     h_thread_stop,     PKT_STOPPED, PKT_ONE, .glued = true },
	{ "qWatchpointSupportInfo:", rsp_parse_none,    h_watch_slots,     PKT_ANY,     PKT_ONE  },
	{ "qXfer:features:read:", rsp_parse_xfer,    h_xfer_features,   PKT_STOPPED, PKT_ONE  },
	{ "qXfer:memory-map:read:", rsp_parse_xfer,  h_xfer_memory_map, PKT_STOPPED, PKT_ONE  },
	{ "qXfer:threads:read:",  rsp_parse_xfer,    h_xfer_threads,    PKT_ANY,     PKT_ONE  },
	{ "qfThreadInfo",         rsp_parse_none,    h_threads_first,   PKT_ANY,     PKT_ONE  },
	{ "qqemu.PhyMemMode",     rsp_parse_none,    h_phys_get,        PKT_ANY,     PKT_ONE  },
	{ "qsThreadInfo",         rsp_parse_none,    h_threads_next,    PKT_ANY,     PKT_ONE  },
	{ "s",                    rsp_parse_run,     h_step,            PKT_STOPPED, PKT_STOP },
	{ "vAttach;",             rsp_parse_num,     h_vattach,         PKT_ANY,     PKT_ONE  },
	{ "vCont",                rsp_parse_vcont,   h_vcont,           PKT_STOPPED, PKT_STOP },
	{ "vCont?",               rsp_parse_none,    h_vcont_caps,      PKT_ANY,     PKT_ONE  },
	{ "vKill;",               rsp_parse_num,     h_vkill,           PKT_ANY,     PKT_ONE  },
	{ "vMustReplyEmpty",      rsp_parse_text,    h_unsupported,     PKT_ANY,     PKT_ONE  },
	{ "vRun;",                rsp_parse_text,    h_vrun,            PKT_STOPPED, PKT_ONE  },
	{ "x",                    rsp_parse_mem,     h_mem_read_binary, PKT_MEMORY,  PKT_ONE  },
	{ "z",                    rsp_parse_bp,      h_break_remove,    PKT_STOPPED, PKT_ONE  },
};
// clang-format on
const unsigned pkt_table_len = ARRAY_LEN(pkt_table);

static bool always(const struct session *s)
{
	return true;
}

static bool has_swbreak(const struct session *s)
{
	return s->wants_swbreak && engine_bp_supported(s->e, ENGINE_SWBP);
}

static bool has_hwbreak(const struct session *s)
{
	return s->wants_hwbreak && engine_bp_supported(s->e, ENGINE_HWBP);
}

static bool has_breakpoints(const struct session *s)
{
	return engine_bp_supported(s->e, ENGINE_SWBP) || engine_bp_supported(s->e, ENGINE_HWBP);
}

const struct pkt_feature pkt_features[] = {
	{ "QStartNoAckMode+", "QStartNoAckMode", always },
	{ "qXfer:features:read+", "qXfer:features:read:", always },
	{ "qXfer:memory-map:read+", "qXfer:memory-map:read:", always },
	{ "qXfer:threads:read+", "qXfer:threads:read:", always },
	{ "vContSupported+", "vCont", always },
	{ "swbreak+", "Z", has_swbreak },
	{ "hwbreak+", "Z", has_hwbreak },
	{ "binary-upload+", "x", always },
	{ "qEcho+", "qEcho:", always },
	{ "ConditionalBreakpoints+", "Z", has_breakpoints },
	{ "BreakpointCommands+", "Z", has_breakpoints },
};
const unsigned pkt_features_len = ARRAY_LEN(pkt_features);

/* Does the name in @body end where the prefix does? A single letter, and a prefix ending in a separator, always do. */
static bool name_ends(const char *prefix, size_t n, const uint8_t *body, size_t len)
{
	return n == 1 || n == len || !isalnum((unsigned char)prefix[n - 1]) || !isalnum(body[n]);
}

const struct pkt_def *pkt_find(const struct pkt_def *table, unsigned n, const void *body, size_t len)
{
	const struct pkt_def *best = NULL;
	size_t best_len = 0;

	for (unsigned i = 0; i < n; i++) {
		size_t plen;

		if (!len || table[i].prefix[0] != *(const char *)body)
			continue; // nearly all of them
		plen = strlen(table[i].prefix);
		if (plen <= best_len || plen > len || memcmp(table[i].prefix, body, plen) != 0)
			continue;
		if (!table[i].glued && !name_ends(table[i].prefix, plen, body, len))
			continue;
		best = &table[i];
		best_len = plen;
	}
	return best;
}

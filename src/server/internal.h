/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include "engine/engine.h"
#include "rsp/out.h"
#include "rsp/request.h"
#include "rsp/rx.h"
#include "server/session.h"

/* The state of one session, shared by the session, the packet handlers and the stop replies. */

/* What may be on its way from the guest. */
enum session_wait {
	WAIT_NONE,
	WAIT_ATTACH, /* we stop the guest for a new client: packets that need it stopped are held back */
	WAIT_STOP,   /* the client resumed the guest: it gets a stop reply */
};

/* Documents read in pieces with qXfer. */
enum doc_kind { DOC_NONE, DOC_FEATURES, DOC_MEMORY_MAP, DOC_THREADS };

enum { SAVED_REGS_MAX = 4 };

struct session {
	struct engine *e;
	session_restart_fn *restart;
	void *restart_arg;
	enum session_state state;
	enum session_wait wait;
	const struct arch_layout *layout; /* chosen when first needed, never changed */

	/* what the client said */
	bool spoke; /* a valid packet came: until then the guest is left alone */
	bool noack;
	bool extended;
	bool detached; /* extended mode, between D and vAttach */
	bool killed;   /* extended mode, between vKill and vRun: the guest is held, and ends with the session */
	bool phys;     /* addresses in m M X x qCRC qSearch are physical */
	bool wants_swbreak, wants_hwbreak;
	bool bare_x;        /* asked for x data without the b before it */
	bool selects_arch;  /* a GDB: by its symbols, or its user, it may select another architecture than it is told */
	bool thread_suffix; /* QThreadSuffixSupported: packets may end in ;thread:ID; */
	bool lists_threads; /* QListThreadsInStopReply: stop replies name all threads, their pcs and a reason */
	enum rsp_error_form error_form;
	struct rsp_tid sel_g, sel_c; /* Hg, Hc */

	/* what the guest did */
	unsigned cur; /* the vCPU that thread id 0, "any", means: that of the last stop */
	struct stop_event last_stop;
	int last_sig;
	struct resume_plan plan;        /* the client's last */
	bool looks;                     /* in session_input(): session_guest_event() follows */
	bool break_due;                 /* a 0x03 came, and no stop that answers it was told */
	bool just_told;                 /* nothing has come from the client since a stop reply */
	const struct arch_layout *told; /* the layout that fitted vCPU 0 at the last look */

	/* QSaveRegisterState: the last few, since a client that gives up never says so */
	struct {
		uint64_t id; /* 0: free */
		unsigned vcpu;
		struct arch_regs regs;
	} saved[SAVED_REGS_MAX];
	uint64_t saved_ids;

	unsigned next_thread; /* where qsThreadInfo goes on */
	enum doc_kind doc_kind;
	struct strbuf doc;

	struct rsp_out out;       /* the reply under construction */
	struct strbuf wire;       /* bytes for the client */
	struct strbuf last_frame; /* to send again when it says '-' */
	struct strbuf held;       /* input behind a held-back packet, which itself is in rx.buf */
	bool holding;
	struct rsp_rx rx;
};

/* Signals as GDB numbers them: GDB's include/gdb/signals.def. */
enum { SIG_GDB_INT = 2, SIG_GDB_TRAP = 5, SIG_GDB_ABRT = 6, SIG_GDB_SEGV = 11, SIG_GDB_USR1 = 30 };

/* Thread n is vCPU n - 1: 0 and -1 are taken by "any" and "all". */
static inline unsigned session_thread(unsigned vcpu)
{
	return vcpu + 1;
}

/** session_vcpu() - the vCPU a thread id stands for ("any" and "all": the current one). 0; -ESRCH. */
int session_vcpu(const struct session *s, struct rsp_tid tid, unsigned *ret);

/** session_vcpu_g() - the vCPU whose registers and memory the client looks at. */
unsigned session_vcpu_g(const struct session *s);

/** session_vcpu_of() - the vCPU that a packet with a thread suffix is about; without one, as session_vcpu_g(). */
unsigned session_vcpu_of(const struct session *s, const struct rsp_req *r);

/** session_space() - how the client's addresses are meant now. */
enum engine_space session_space(const struct session *s);

/** session_layout() - the register layout of this session. Needs a stopped guest the first time. */
int session_layout(struct session *s, const struct arch_layout **ret);

/** session_attach() - stop a running guest for a client that comes to it; packets that need it stopped wait. */
void session_attach(struct session *s);

/**
 * session_pass_reset() - @ev is a reset that the client does not catch: do it, and the guest runs on by the last plan.
 * Returns: 0; -EBUSY: it was reset, but the plan holds the vCPU that starts a machine: *@ev is now the stop that says
 * so; -ENOENT: it is no such event; another errno: the new guest cannot be made, or does not run.
 */
int session_pass_reset(struct session *s, struct stop_event *ev);

/** session_reset() - a new guest under the client's breakpoints, at its first instruction. Stopped. */
int session_reset(struct session *s);

/**
 * session_send_text() - @n bytes of text for the client's console, in O packets. Legal while a stop reply is owed and
 * before the reply to qRcmd.
 */
void session_send_text(struct session *s, const char *text, size_t n);

/** stop_reply_fill() - the stop reply for the last stop: T packet, or W when the guest is gone. */
void stop_reply_fill(struct session *s, struct rsp_out *o);

/** stop_reply_thread() - likewise for any vCPU: T00 for one that was only halted with the others. */
void stop_reply_thread(struct session *s, unsigned vcpu, struct rsp_out *o);

/** stop_reply_signal() - why @vcpu stopped, as a signal (0: it was only halted) and in LLDB's word for it. */
int stop_reply_signal(const struct session *s, unsigned vcpu, const char **reason);

/** stop_reply_record() - take @ev as the last stop, and its vCPU as the current one. @attach: stopped for a client. */
void stop_reply_record(struct session *s, const struct stop_event *ev, bool attach);

/** stop_reply_texts() - the O packets that go before the stop reply for the last stop. */
void stop_reply_texts(struct session *s);

/** stop_is_over() - is the guest's life over with this stop, so that the client gets W? */
bool stop_is_over(const struct session *s, enum stop_why why);

#endif

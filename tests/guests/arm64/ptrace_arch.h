/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a debugger in the guest needs to know of its processor. */
#pragma once

#include <asm/ptrace.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define BREAK_NAME "brk"
#define BREAK_INSN "brk #0"
#define BREAK_CODE TRAP_BRKPT

enum { WCR_ENABLE = 1, WCR_EL0 = 2 << 1, WCR_STORE = 2 << 3, WCR_4_BYTES = 15 << 5 };

/* The trap comes before the instruction: the child goes on behind it. */
static int break_passed(pid_t pid)
{
	struct user_pt_regs regs;
	struct iovec v = { .iov_base = &regs, .iov_len = sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
		return -1;
	regs.pc += 4;
	return (int)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
}

static int watch_passed(pid_t pid)
{
	return break_passed(pid);
}

static void watch_int(pid_t pid, const volatile int *at)
{
	uintptr_t bytes = (uintptr_t)at & 7;
	struct user_hwdebug_state state = {
		.dbg_regs[0] = { .addr = (uintptr_t)at - bytes,
				 .ctrl = (uint32_t)(WCR_ENABLE | WCR_EL0 | WCR_STORE | WCR_4_BYTES << bytes) },
	};
	struct iovec v = { .iov_base = &state, .iov_len = offsetof(struct user_hwdebug_state, dbg_regs[1]) };

	ptrace(PTRACE_SETREGSET, pid, NT_ARM_HW_WATCH, &v);
}

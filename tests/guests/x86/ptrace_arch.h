/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a debugger in the guest needs to know of its processor. */
#pragma once

#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

#define BREAK_NAME "int3"
#define BREAK_INSN "int3"
#define BREAK_CODE SI_KERNEL

enum { DR7_L0_WRITE_4 = 1 | 0xd << 16 };

/* The trap comes after the instruction. */
static int break_passed(pid_t pid)
{
	(void)pid;
	return 0;
}

static int watch_passed(pid_t pid)
{
	(void)pid;
	return 0;
}

static void watch_int(pid_t pid, const volatile int *at)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), at);
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), DR7_L0_WRITE_4);
}

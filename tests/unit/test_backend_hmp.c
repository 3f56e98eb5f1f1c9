/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "backend/hmp.h"

#include "test.h"

/* As QEMU 7.2 prints it. */
static const char reset_text[] =
	"\r\nCPU#0\r\n"
	"EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1\r\n"
	"ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\r\n"
	"EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n"
	"ES =0000 00000000 0000ffff 00009300\r\n"
	"CS =f000 ffff0000 0000ffff 00009b00\r\n"
	"SS =0000 00000000 0000ffff 00009300\r\n"
	"DS =0000 00000000 0000ffff 00009300\r\n"
	"FS =0000 00000000 0000ffff 00009300\r\n"
	"GS =0000 00000000 0000ffff 00009300\r\n"
	"LDT=0000 00000000 0000ffff 00008200\r\n"
	"TR =0000 00000000 0000ffff 00008b00\r\n"
	"GDT=     00000000 0000ffff\r\n"
	"IDT=     00000000 0000ffff\r\n"
	"CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\r\n"
	"DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \r\n"
	"DR6=00000000ffff0ff0 DR7=0000000000000400\r\n"
	"EFER=0000000000000000\r\n"
	"FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80\r\n"
	"FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\r\n"
	"FPR2=0000000000000000 0000 FPR3=0000000000000000 0000\r\n"
	"FPR4=0000000000000000 0000 FPR5=0000000000000000 0000\r\n"
	"FPR6=0000000000000000 0000 FPR7=0000000000000000 0000\r\n"
	"XMM00=0000000000000000 0000000000000001 XMM01=0000000000000000 0000000000000000\r\n"
	"XMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000\r\n"
	"XMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000\r\n"
	"XMM06=0000000000000000 0000000000000000 XMM07=1122334455667788 99aabbccddeeff00\r\n";

static const char long_text[] = "\nCPU#0\n"
				"RAX=0000000000000001 RBX=ffff888003c00000 RCX=0000000000000002 RDX=0000000000000003\n"
				"RSI=0000000000000004 RDI=0000000000000005 RBP=0000000000000006 RSP=ffffc90000003f58\n"
				"R8 =0000000000000008 R9 =0000000000000009 R10=000000000000000a R11=000000000000000b\n"
				"R12=000000000000000c R13=000000000000000d R14=000000000000000e R15=000000000000000f\n"
				"RIP=ffffffff81c0dead RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
				"ES =0000 0000000000000000 00000000 00000000\n"
				"CS =0010 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\n"
				"SS =0018 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\n"
				"DS =0000 0000000000000000 00000000 00000000\n"
				"FS =0000 00007f0000000000 00000000 00000000\n"
				"GS =0000 ffff888007c00000 00000000 00000000\n"
				"LDT=0000 0000000000000000 00000000 00000000\n"
				"TR =0040 fffffe0000003000 00004087 00008b00 DPL=0 TSS64-busy\n"
				"GDT=     fffffe0000001000 0000007f\n"
				"IDT=     fffffe0000000000 00000fff\n"
				"CR0=80050033 CR2=0000000000000000 CR3=0000000002c0a000 CR4=00750ef0\n"
				"DR0=0000000000000011 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000033 \n"
				"DR6=00000000ffff0ff0 DR7=0000000000000400\n"
				"CCS=0000000000000044 CCD=0000000000000000 CCO=EFLAGS\n"
				"EFER=0000000000000d01\n"
				"FCW=037f FSW=3000 [ST=6] FTW=c0 MXCSR=00001fa0\n"
				"FPR0=0000000000000000 0000 FPR1=0000000000000000 0000\n"
				"FPR2=0000000000000000 0000 FPR3=0000000000000000 0000\n"
				"FPR4=0000000000000000 0000 FPR5=0000000000000000 0000\n"
				"FPR6=8000000000000000 3fff FPR7=0000000000000000 0000\n"
				"YMM00=0000000000000004 0000000000000003 0000000000000002 0000000000000001\n"
				"YMM01=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n"
				"YMM02=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n"
				"YMM03=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n"
				"YMM04=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n"
				"YMM05=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n"
				"YMM06=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n"
				"YMM07=0000000000000000 0000000000000000 0000000000000000 0000000000000000\n";

TEST(hmp_reads_the_reset_state)
{
	struct hmp_cpu c;

	CHECK_EQ(hmp_cpu_parse(reset_text, &c), 0);
	CHECK_EQ(c.r.have, ARCH_CORE | ARCH_SYS | ARCH_DEBUG | ARCH_FP);
	CHECK(c.halted);
	CHECK_EQ(c.r.x86.rip, 0xfff0);
	CHECK_EQ(c.r.x86.gpr[X86_RDX], 0x60fb1);
	CHECK_EQ(c.r.x86.seg[X86_CS].sel, 0xf000);
	CHECK_EQ(c.r.x86.seg[X86_CS].base, 0xffff0000);
	CHECK_EQ(c.r.x86.seg[X86_CS].attr, 0x9b);
	CHECK_EQ(c.r.x86.seg[X86_TR].attr, 0x8b);
	CHECK_EQ(c.r.x86.cr0, 0x60000010);
	CHECK_EQ(c.r.x86.dr[7], 0x400);
	CHECK_EQ(c.r.x86.ftag, 0xffff);
	CHECK_EQ(c.r.x86.fp_absent, X86_NO_AVX);
	CHECK_EQ(c.r.x86.xmm[0][0], 1);
	CHECK_EQ(c.r.x86.xmm[7][15], 0x11);
	CHECK_EQ(c.r.x86.xmm[7][1], 0xff);
}

TEST(hmp_reads_long_mode)
{
	struct hmp_cpu c;
	const struct x86_regs *x = &c.r.x86;

	CHECK_EQ(hmp_cpu_parse(long_text, &c), 0);
	CHECK_EQ(c.r.have, ARCH_CORE | ARCH_SYS | ARCH_DEBUG | ARCH_FP);
	CHECK(!c.halted);
	CHECK_EQ(x->gpr[X86_R8], 8);
	CHECK_EQ(x->gpr[X86_R15], 15);
	CHECK_EQ(x->rip, 0xffffffff81c0dead);
	CHECK_EQ(x->rflags, 0x246);
	CHECK_EQ(x->seg[X86_CS].attr, 0xa9b);
	CHECK(x->seg[X86_CS].attr & X86_SEG_L);
	CHECK_EQ(x->seg[X86_SS].attr, 0xc93);
	CHECK_EQ(x->seg[X86_GS].base, 0xffff888007c00000);
	CHECK_EQ(x->seg[X86_TR].limit, 0x4087);
	CHECK_EQ(x->gdt.base, 0xfffffe0000001000);
	CHECK_EQ(x->idt.limit, 0xfff);
	CHECK_EQ(x->cr4, 0x750ef0);
	CHECK_EQ(x->efer, 0xd01);
	CHECK_EQ(x->dr[0], 0x11);
	CHECK_EQ(x->dr[3], 0x33);
	CHECK_EQ(x->fp_absent, 0);
	CHECK_EQ(x->xmm[0][0], 1);
	CHECK_EQ(x->xmm[0][8], 2);
	CHECK_EQ(x->ymmh[0][0], 3);
	CHECK_EQ(x->ymmh[0][8], 4);
}

TEST(hmp_turns_physical_x87_registers_into_stack_positions)
{
	struct hmp_cpu c;

	CHECK_EQ(hmp_cpu_parse(long_text, &c), 0);
	CHECK_EQ(c.r.x86.st[0][7], 0x80); // top is 6
	CHECK_EQ(c.r.x86.st[0][9], 0x3f);
	CHECK_EQ(c.r.x86.st[1][9], 0);
	CHECK_EQ(c.r.x86.ftag, 0x4fff); // 6 valid, 7 zero, the others empty
}

TEST(hmp_leaves_out_a_group_that_is_not_whole)
{
	struct hmp_cpu c;
	char *text = strdup(long_text), *at = strstr(text, "GDT=");

	memcpy(at, "GDX=", 4);
	CHECK_EQ(hmp_cpu_parse(text, &c), 0);
	CHECK_EQ(c.r.have, ARCH_CORE | ARCH_DEBUG | ARCH_FP);
	at = strstr(text, "RSP=");
	memcpy(at, "RSP=?", 5);
	CHECK_EQ(hmp_cpu_parse(text, &c), 0);
	CHECK_EQ(c.r.have, ARCH_DEBUG | ARCH_FP);
	free(text);
}

TEST(hmp_rejects_junk)
{
	static const char *const junk[] = { "",
					    "\n",
					    "=",
					    "unknown command: 'info registers'\r\n",
					    "RAX=",
					    "EAX= EBX=",
					    "xEAX=00000000",
					    "CS =f000",
					    "FPR0=1 2 3 4",
					    "DR0=zz" };
	struct hmp_cpu c = { .halted = true };

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		CHECK_EQ(hmp_cpu_parse(junk[i], &c), -EPROTO);
	CHECK(c.halted); // untouched
}

TEST(hmp_survives_every_truncation)
{
	struct hmp_cpu c;

	for (size_t n = 0; n < sizeof(long_text); n++) {
		char *text = strndup(long_text, n);

		hmp_cpu_parse(text, &c);
		free(text);
	}
}

TESTS(T(hmp_reads_the_reset_state), T(hmp_reads_long_mode), T(hmp_turns_physical_x87_registers_into_stack_positions),
      T(hmp_leaves_out_a_group_that_is_not_whole), T(hmp_rejects_junk), T(hmp_survives_every_truncation))

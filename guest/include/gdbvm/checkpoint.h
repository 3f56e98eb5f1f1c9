/* SPDX-License-Identifier: 0BSD */
/*
 * Checkpoints for guest code: what is written here to the debug port, gdbvm records (docs/checkpoints.md).
 *
 *	CHECKPOINT(id)             a code of one byte, not 0x7e. No stack, no memory
 *	CHECKPOINT_U64(id, value)  a number, with an id from 0 to 0xffff
 *	CHECKPOINT_REGS()          the registers, with the control registers
 *	CHECKPOINT_MEM(ptr, len)   the bytes that are there
 *
 * For GCC and Clang, C or C++, x86 in 16-, 32- and 64-bit mode, and arm64. It takes no C library, no
 * data and no address that is not relative to pc, so code may use it before it has been relocated. All
 * but CHECKPOINT need a stack. Define before the #include, if at all:
 *
 *	GDBVM_CHECKPOINT_PORT      x86: the I/O port, instead of 0x80
 *	GDBVM_CHECKPOINT_MMIO      arm64: the address of the debug port as this code sees it, instead of 0x090f0000
 *	GDBVM_CHECKPOINT_PUT(byte) another way to write a byte
 */
#ifndef GDBVM_CHECKPOINT_H
#define GDBVM_CHECKPOINT_H

#ifndef GDBVM_CHECKPOINT_PORT
#define GDBVM_CHECKPOINT_PORT 0x80
#endif
#ifndef GDBVM_CHECKPOINT_MMIO
#define GDBVM_CHECKPOINT_MMIO 0x090f0000
#endif

/* ---- one byte ---- */

#ifdef GDBVM_CHECKPOINT_PUT
#define CHECKPOINT(id) GDBVM_CHECKPOINT_PUT(id)

#elif defined(__x86_64__) || defined(__i386__)
/* The mov is ours, not the compiler's: `gdbvm checkpoints scan` looks for exactly these two instructions. */
#if GDBVM_CHECKPOINT_PORT < 0x100
#define CHECKPOINT(id)                                                               \
	__asm__ __volatile__("movb %b0, %%al\n\toutb %%al, %1"                       \
			     :                                                       \
			     : "iq"((unsigned char)(id)), "i"(GDBVM_CHECKPOINT_PORT) \
			     : "eax", "memory")
#else
#define CHECKPOINT(id)                                                               \
	__asm__ __volatile__("movb %b0, %%al\n\toutb %%al, %w1"                      \
			     :                                                       \
			     : "iq"((unsigned char)(id)), "d"(GDBVM_CHECKPOINT_PORT) \
			     : "eax", "memory")
#endif

#elif defined(__aarch64__)
#define CHECKPOINT(id)                                                                                \
	__asm__ __volatile__("strb %w0, [%1]"                                                         \
			     :                                                                        \
			     : "rZ"((unsigned char)(id)), "r"((unsigned long)(GDBVM_CHECKPOINT_MMIO)) \
			     : "memory")

#else
#error "no checkpoints for this architecture: define GDBVM_CHECKPOINT_PUT(byte)"
#endif

/* ---- frames: docs/checkpoints.md, "Frames" ---- */

__extension__ typedef unsigned long long gdbvm_u64;
typedef __UINTPTR_TYPE__ gdbvm_uptr; /* long is shorter in some worlds */

enum {
	GDBVM_FRAME_U64 = 0x01,
	GDBVM_FRAME_MEM = 0x02,
	GDBVM_FRAME_REGS_X86_64 = 0x10,
	GDBVM_FRAME_REGS_I386 = 0x11,
	GDBVM_FRAME_REGS_ARM64 = 0x12
};

#define GDBVM_INLINE static __inline__ __attribute__((__unused__, __always_inline__))
#define GDBVM_SHARED static __attribute__((__unused__, __noinline__))

/*
 * What is between two bytes of a frame goes from call to call as a value: where the data segment is not
 * that of the stack (16-bit code), no pointer leads to it. From bit 0: the check sum; from 32: bits that
 * do not make a group yet; from 48: how many.
 */
GDBVM_INLINE gdbvm_u64 gdbvm_frame_state(unsigned int sum, unsigned int bits, unsigned int nbits)
{
	return (gdbvm_u64)(bits | nbits << 16) << 32 | sum;
}

/* The lowest @n bytes of @value. */
GDBVM_SHARED gdbvm_u64 gdbvm_frame_word(gdbvm_u64 state, unsigned int value, unsigned int n)
{
	unsigned int sum = (unsigned int)state;
	unsigned int bits = (unsigned int)(state >> 32) & 0xffff, nbits = (unsigned int)(state >> 48);

	for (; n > 0; n--, value >>= 8) {
		sum = (sum ^ (value & 0xff)) * 16777619u;
		bits |= (value & 0xff) << nbits;
		for (nbits += 8; nbits >= 7; nbits -= 7, bits >>= 7)
			CHECKPOINT(0x80 | (bits & 0x7f));
	}
	return gdbvm_frame_state(sum, bits, nbits);
}

GDBVM_INLINE gdbvm_u64 gdbvm_frame_u64(gdbvm_u64 state, gdbvm_u64 value)
{
	state = gdbvm_frame_word(state, (unsigned int)value, 4);
	return gdbvm_frame_word(state, (unsigned int)(value >> 32), 4);
}

GDBVM_INLINE gdbvm_u64 gdbvm_frame_begin(unsigned int kind, unsigned int id, unsigned int len)
{
	CHECKPOINT(0x7e);
	return gdbvm_frame_word(gdbvm_frame_word(gdbvm_frame_state(2166136261u, 0, 0), kind, 1),
				(id & 0xffff) | len << 16, 4);
}

GDBVM_INLINE void gdbvm_frame_end(gdbvm_u64 state)
{
	state = gdbvm_frame_word(state, (unsigned int)state, 4);
	if (state >> 48)
		CHECKPOINT(0x80 | ((state >> 32) & 0x7f));
}

GDBVM_SHARED void gdbvm_checkpoint_u64(unsigned int id, gdbvm_u64 value)
{
	gdbvm_frame_end(gdbvm_frame_u64(gdbvm_frame_begin(GDBVM_FRAME_U64, id, 8), value));
}

GDBVM_SHARED void gdbvm_checkpoint_mem(const volatile void *ptr, gdbvm_uptr len)
{
	const volatile unsigned char *p = (const volatile unsigned char *)ptr;

	do {
		unsigned int n = len < 4096 ? (unsigned int)len : 4096;
		gdbvm_u64 state = gdbvm_frame_begin(GDBVM_FRAME_MEM, 0, 8 + n);

		state = gdbvm_frame_u64(state, (gdbvm_uptr)p);
		for (len -= n; n > 0; n--)
			state = gdbvm_frame_word(state, *p++, 1);
		gdbvm_frame_end(state);
	} while (len > 0);
}

#define CHECKPOINT_U64(id, value) gdbvm_checkpoint_u64((id), (gdbvm_u64)(value))
#define CHECKPOINT_MEM(ptr, len) gdbvm_checkpoint_mem((ptr), (len))
#define CHECKPOINT_REGS() gdbvm_checkpoint_regs()

/* ---- registers, as the compiler has left them at this place ---- */

#if defined(__x86_64__)
#define GDBVM_GET(insn, out) __asm__ __volatile__(insn : "=r"(out))

GDBVM_INLINE void gdbvm_checkpoint_regs(void)
{
	gdbvm_u64 ax, cx, dx, bx, sp, bp, si, di, r8, r9, r10, r11, r12, r13, r14, r15, ip, fl, v;
	unsigned int lo, hi, cs;
	gdbvm_u64 state;

	__asm__ __volatile__("movq %%rax, %0\n\tmovq %%rcx, %1\n\tmovq %%rdx, %2\n\tmovq %%rbx, %3\n\t"
			     "movq %%rsp, %4\n\tmovq %%rbp, %5\n\tmovq %%rsi, %6\n\tmovq %%rdi, %7\n\t"
			     "movq %%r8, %8\n\tmovq %%r9, %9\n\tmovq %%r10, %10\n\tmovq %%r11, %11\n\t"
			     "movq %%r12, %12\n\tmovq %%r13, %13\n\tmovq %%r14, %14\n\tmovq %%r15, %15\n\t"
			     "leaq 0(%%rip), %%rax\n\tmovq %%rax, %16\n\t"
			     /* no red zone here: that is for functions without calls */
			     "pushfq\n\tpopq %%rax\n\tmovq %%rax, %17"
			     : "=m"(ax), "=m"(cx), "=m"(dx), "=m"(bx), "=m"(sp), "=m"(bp), "=m"(si), "=m"(di), "=m"(r8),
			       "=m"(r9), "=m"(r10), "=m"(r11), "=m"(r12), "=m"(r13), "=m"(r14), "=m"(r15), "=m"(ip),
			       "=m"(fl)
			     :
			     : "rax");
	GDBVM_GET("movl %%cs, %0", cs);
	/* programs may not read what comes after gs */
	state = gdbvm_frame_begin(GDBVM_FRAME_REGS_X86_64, 0, (cs & 3 ? 24 : 29) * 8);
	state = gdbvm_frame_u64(state, ax);
	state = gdbvm_frame_u64(state, cx);
	state = gdbvm_frame_u64(state, dx);
	state = gdbvm_frame_u64(state, bx);
	state = gdbvm_frame_u64(state, sp);
	state = gdbvm_frame_u64(state, bp);
	state = gdbvm_frame_u64(state, si);
	state = gdbvm_frame_u64(state, di);
	state = gdbvm_frame_u64(state, r8);
	state = gdbvm_frame_u64(state, r9);
	state = gdbvm_frame_u64(state, r10);
	state = gdbvm_frame_u64(state, r11);
	state = gdbvm_frame_u64(state, r12);
	state = gdbvm_frame_u64(state, r13);
	state = gdbvm_frame_u64(state, r14);
	state = gdbvm_frame_u64(state, r15);
	state = gdbvm_frame_u64(state, ip);
	state = gdbvm_frame_u64(state, fl);
	state = gdbvm_frame_u64(state, cs);
#define GDBVM_SEND(reg)                     \
	GDBVM_GET("movq %%" reg ", %0", v); \
	state = gdbvm_frame_u64(state, v)
	GDBVM_SEND("ss");
	GDBVM_SEND("ds");
	GDBVM_SEND("es");
	GDBVM_SEND("fs");
	GDBVM_SEND("gs");
	if (!(cs & 3)) {
		GDBVM_SEND("cr0");
		GDBVM_SEND("cr2");
		GDBVM_SEND("cr3");
		GDBVM_SEND("cr4");
		__asm__ __volatile__("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000080)); /* EFER */
		state = gdbvm_frame_word(state, lo, 4);
		state = gdbvm_frame_word(state, hi, 4);
	}
#undef GDBVM_SEND
	gdbvm_frame_end(state);
}

#elif defined(__i386__)
#define GDBVM_GET(insn, out) __asm__ __volatile__(insn : "=r"(out))

GDBVM_INLINE void gdbvm_checkpoint_regs(void)
{
	unsigned int ax, cx, dx, bx, sp, bp, si, di, ip, fl, cs, cr0, v;
	int may;
	gdbvm_u64 state;

	__asm__ __volatile__("movl %%eax, %0\n\tmovl %%ecx, %1\n\tmovl %%edx, %2\n\tmovl %%ebx, %3\n\t"
			     "movl %%esp, %4\n\tmovl %%ebp, %5\n\tmovl %%esi, %6\n\tmovl %%edi, %7\n\t"
			     "calll 1f\n1:\tpopl %%eax\n\tmovl %%eax, %8\n\tpushfl\n\tpopl %%eax\n\tmovl %%eax, %9"
			     : "=m"(ax), "=m"(cx), "=m"(dx), "=m"(bx), "=m"(sp), "=m"(bp), "=m"(si), "=m"(di), "=m"(ip),
			       "=m"(fl)
			     :
			     : "eax");
	GDBVM_GET("movl %%cs, %0", cs);
	may = !(cs & 3);
	if (!may) { /* a segment of real mode? */
		GDBVM_GET("smswl %0", cr0);
		may = !(cr0 & 1);
	}
	state = gdbvm_frame_begin(GDBVM_FRAME_REGS_I386, 0, (may ? 20 : 16) * 4);
	state = gdbvm_frame_word(state, ax, 4);
	state = gdbvm_frame_word(state, cx, 4);
	state = gdbvm_frame_word(state, dx, 4);
	state = gdbvm_frame_word(state, bx, 4);
	state = gdbvm_frame_word(state, sp, 4);
	state = gdbvm_frame_word(state, bp, 4);
	state = gdbvm_frame_word(state, si, 4);
	state = gdbvm_frame_word(state, di, 4);
	state = gdbvm_frame_word(state, ip, 4);
	state = gdbvm_frame_word(state, fl, 4);
	state = gdbvm_frame_word(state, cs, 4);
#define GDBVM_SEND(reg)                     \
	GDBVM_GET("movl %%" reg ", %0", v); \
	state = gdbvm_frame_word(state, v, 4)
	GDBVM_SEND("ss");
	GDBVM_SEND("ds");
	GDBVM_SEND("es");
	GDBVM_SEND("fs");
	GDBVM_SEND("gs");
	if (may) {
		GDBVM_SEND("cr0");
		GDBVM_SEND("cr2");
		GDBVM_SEND("cr3");
		GDBVM_SEND("cr4");
	}
#undef GDBVM_SEND
	gdbvm_frame_end(state);
}

#elif defined(__aarch64__)
#define GDBVM_GET(insn, out) __asm__ __volatile__(insn : "=r"(out))
#define GDBVM_GET_OF(el, v)                           \
	do {                                          \
		GDBVM_GET("mrs %0, sctlr_" el, v[0]); \
		GDBVM_GET("mrs %0, ttbr0_" el, v[1]); \
		GDBVM_GET("mrs %0, tcr_" el, v[3]);   \
		GDBVM_GET("mrs %0, mair_" el, v[4]);  \
		GDBVM_GET("mrs %0, vbar_" el, v[5]);  \
		GDBVM_GET("mrs %0, esr_" el, v[6]);   \
		GDBVM_GET("mrs %0, far_" el, v[7]);   \
		GDBVM_GET("mrs %0, elr_" el, v[8]);   \
		GDBVM_GET("mrs %0, spsr_" el, v[9]);  \
	} while (0)

GDBVM_SHARED void gdbvm_send_regs(const unsigned long *x, const unsigned long *v)
{
	gdbvm_u64 state = gdbvm_frame_begin(GDBVM_FRAME_REGS_ARM64, 0, 44 * 8);
	int i;

	for (i = 0; i < 34; i++)
		state = gdbvm_frame_u64(state, x[i]);
	for (i = 0; i < 10; i++)
		state = gdbvm_frame_u64(state, v[i]);
	gdbvm_frame_end(state);
}

/* From EL1 on. x16 is lost: it leads to where the others are kept. */
GDBVM_INLINE void gdbvm_checkpoint_regs(void)
{
	unsigned long regs[34], v[10], el, part;
	register unsigned long *x __asm__("x16") = regs;

	__asm__ __volatile__("stp x0, x1, [%0]\n\tstp x2, x3, [%0, #16]\n\tstp x4, x5, [%0, #32]\n\t"
			     "stp x6, x7, [%0, #48]\n\tstp x8, x9, [%0, #64]\n\tstp x10, x11, [%0, #80]\n\t"
			     "stp x12, x13, [%0, #96]\n\tstp x14, x15, [%0, #112]\n\tstp x16, x17, [%0, #128]\n\t"
			     "stp x18, x19, [%0, #144]\n\tstp x20, x21, [%0, #160]\n\tstp x22, x23, [%0, #176]\n\t"
			     "stp x24, x25, [%0, #192]\n\tstp x26, x27, [%0, #208]\n\tstp x28, x29, [%0, #224]\n\t"
			     "str x30, [%0, #240]"
			     :
			     : "r"(x)
			     : "memory");
	GDBVM_GET("mov %0, sp", regs[31]);
	GDBVM_GET("adr %0, .", regs[32]);
	GDBVM_GET("mrs %0, CurrentEL", el);
	GDBVM_GET("mrs %0, nzcv", regs[33]);
	GDBVM_GET("mrs %0, daif", part);
	regs[33] |= part | el;
	GDBVM_GET("mrs %0, SPSel", part);
	regs[33] |= part;
	v[2] = 0;
	if (el == 1 << 2) {
		GDBVM_GET_OF("el1", v);
		GDBVM_GET("mrs %0, ttbr1_el1", v[2]);
	} else if (el == 2 << 2) {
		GDBVM_GET_OF("el2", v);
		GDBVM_GET("mrs %0, hcr_el2", part);
		if (part >> 34 & 1) /* E2H: what lacks VHE has no TTBR1_EL2 */
			GDBVM_GET("mrs %0, S3_4_C2_C0_1", v[2]);
	} else {
		GDBVM_GET_OF("el3", v);
	}
	gdbvm_send_regs(regs, v);
}
#endif

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arm64_regs.h"
#include "arch/x86_regs.h"
#include "mmu/mmu.h"
#include "util/addr.h"
#include "util/strbuf.h"

/*
 * An architecture is const tables and pure functions. To add one, each step leaving the tests green:
 * 1. its register file and reg_desc rows, with a golden test of the XML  -> GDB attaches and reads registers
 * 2. bp_insn                                                             -> software breakpoints
 * 3. hw_encode/hw_decode                                                 -> hardware breakpoints, watchpoints
 * 4. walk                                                                -> virtual memory
 */

/* Groups of registers that are fetched and written back together (one or two ioctls each). */
enum arch_group {
	ARCH_CORE = 1 << 0,  /* general registers, pc, flags */
	ARCH_SYS = 1 << 1,   /* segments, descriptor tables, control registers, EFER; arm64: see ARM64_SYS_LIST */
	ARCH_FP = 1 << 2,    /* x87, SSE, AVX; arm64: SIMD, SVE */
	ARCH_DEBUG = 1 << 3, /* the guest's own debug registers */
	ARCH_MSR = 1 << 4,   /* the usual MSRs, each available or not by itself; arm64: system registers */
	ARCH_ALL = (1 << 5) - 1,
};

/* The register file of one vCPU. `have`: groups that hold the guest's values; `dirty`: groups changed since. */
struct arch_regs {
	uint32_t have, dirty;
	union {
		struct x86_regs x86;
		struct arm64_regs arm64;
	};
};

/* How GDB shows a register: the type attribute of the target description. */
enum reg_type {
	REG_INT,
	REG_UINT,
	REG_CODE_PTR,
	REG_DATA_PTR,
	REG_I387,
	REG_FLAGS,
	REG_VEC128,
	REG_UINT128,
	REG_X86_CR0,
	REG_X86_CR3,
	REG_X86_CR4,
	REG_X86_EFER,
	REG_X86_DR6,
	REG_X86_DR7,
	REG_X86_SEG_ATTR,
	REG_MXCSR,
	REG_ARM64_V,
	REG_ARM64_Z,
	REG_ARM64_P,
	REG_ARM64_CPSR,
	REG_ARM64_SPSR,
	REG_ARM64_FPSR,
	REG_ARM64_FPCR,
	REG_ARM64_SCTLR,
	REG_ARM64_TCR,
	REG_ARM64_TTBR,
	REG_ARM64_ESR,
	REG_ARM64_MDSCR,
	REG_ARM64_HCR,
	REG_ARM64_VTCR,
	REG_ARM64_VTTBR,
	REG_NTYPES
};

/* Where a row's wire value comes from, and whether it is there at all. */
enum reg_conv {
	REG_PLAIN,           /* the bytes at `offset` */
	REG_X86_LINEAR_PC,   /* cs.base + rip: GDB knows no segments */
	REG_X86_SELECTOR,    /* 16 bits in 32; in real and virtual-8086 mode a new selector also moves the base */
	REG_X86_FP,          /* plain; not there if the bit `which` of x86_regs.fp_absent is set */
	REG_X86_MSR,         /* plain; there if bit number `which` of x86_regs.msr_have is set */
	REG_ARM64_SP,        /* the stack pointer in use */
	REG_ARM64_BANKED_SP, /* plain; not there if bit number `which` of arm64_regs.sp_absent is set */
	REG_ARM64_SYS,       /* plain; not there if bit number `which` of arm64_regs.sys_absent is set */
	REG_ARM64_DEBUG,     /* plain; breakpoint number `which`, or watchpoint number `which` - ARM64_MAX_DEBUG */
	REG_ARM64_VG,        /* 64-bit pieces of a vector */
	REG_ARM64_PAUTH,     /* the bits of a signed pointer that are no address; `which`: enum arm64_pauth */
	REG_NCONVS,
};

/*
 * One row per register; the index is GDB's number. XML, g/G layout and width checks all derive from it.
 * A row narrower than what it stands for (eip of a vCPU in long mode) shows the low part, and a write keeps the rest.
 * Rows do not overlap, because GDB keeps what it read of one row after it wrote another, and writes all back after an
 * inferior call. The exceptions: ip_offset of 16-bit code is another view of eip, and a selector may move the base; sp
 * of arm64 is one of SP_EL0, SP_EL1... So of a G packet set only the rows that differ from what arch_reg_get() gives.
 */
struct reg_desc {
	const char *name;
	uint16_t bits;
	uint8_t type;          /* enum reg_type */
	uint8_t feature;       /* index into arch_layout.features */
	uint8_t conv;          /* enum reg_conv */
	uint8_t group;         /* one enum arch_group */
	uint8_t which;         /* by enum reg_conv */
	bool read_only;        /* writes get an error */
	const char *gdb_group; /* "general", "float", "vector", "system" */
	uint8_t dwarf;         /* number in DWARF's register numbering plus one; 0: it has none */
	uint16_t offset;       /* into the register file of the architecture */
};

/*
 * What one session shows to GDB. It is chosen when a client connects and stays for the session, whatever mode
 * the vCPU goes to, so that no g packet is ever of another size than GDB expects. GDB decodes a g packet by the
 * description only if that suits the architecture it has selected, by its symbol file or by `set architecture`:
 * `compatible` and `any` are two ways to make it suit.
 */
struct arch_layout {
	const char *gdb_name;        /* <architecture>: "i386:x86-64", "i386", "i8086" */
	const char *osabi;           /* <osabi>; NULL: what the client takes by default */
	const char *const *features; /* names of the features, in XML order */
	unsigned nfeatures;
	const struct reg_desc *regs;
	unsigned nregs;
	const char *const
		*compatible; /* architectures under which a client may have selected this one; NULL-terminated */
	const struct arch_layout *any; /* the like for a GDB that may select any architecture; NULL: none */
	const char *parts;             /* features of registers that a client makes of the rows; NULL: none */
	const struct arch_layout *gdb; /* what GDB is shown instead: as many rows of the same sizes; NULL: this one */
	const char *triple;            /* what LLDB calls it */
	unsigned pc, sp, fp, flags;    /* register numbers */
	unsigned lr;                   /* of the return address of a call; 0: on the stack */
	unsigned addr_bits;
};

/* A hardware breakpoint or watchpoint as the engine asks for it. */
enum hw_kind { HW_EXEC, HW_WRITE, HW_READ, HW_ACCESS };
struct hw_break {
	enum hw_kind kind;
	gva at;
	uint64_t len; /* bytes; 1 for HW_EXEC, on arm64 also 4 */
};

/* Slots that a processor has. On x86 each takes either kind; arm64 has some for breakpoints, some for watchpoints. */
struct arch_hw_max {
	unsigned exec, watch;
};

#define ARCH_MAX_HW 32

/* Bytes of the widest register on the wire. */
#define ARCH_REG_MAX 256

/*
 * Encoded debug registers, ready for the kernel. x86: dr[0..3] and dr[7]. arm64: value and control register of slot n
 * are reg[2 * n] and reg[2 * n + 1]; the slots of both kinds are in the order of the requests.
 */
struct arch_hw_state {
	uint64_t reg[2 * ARCH_MAX_HW];
	unsigned nslots; /* in use */
	struct {
		struct hw_break part;
		unsigned owner;
	} slot[ARCH_MAX_HW]; /* owner: index into the request */
};

/* The registers that describe the second stage: arm64's VTTBR_EL2 and VTCR_EL2. */
struct arch_stage2_regs {
	uint64_t root, control;
};

/* The second stage of translation, for one who debugs a hypervisor in the guest. */
struct arch_stage2 {
	/*
	 * walk() - translate an intermediate address. @given: instead of the registers of the vCPU; may be NULL.
	 * Needs walk_groups. Returns as walk() of struct arch; -ENODATA: the vCPU has no such registers.
	 */
	int (*walk)(const struct arch_regs *r, const struct arch_stage2_regs *given, mmu_read_fn *rd, void *arg, gpa at,
		    struct mmu_xlat *out);

	/* The entries of the walk @x, a line each, and what is to be known of the tables as a whole. */
	void (*text)(const struct arch_regs *r, const struct arch_stage2_regs *given, const struct mmu_xlat *x,
		     struct strbuf *out);
};

struct arch {
	const char *name;         /* "x86" */
	unsigned char bp_insn[4]; /* software breakpoint instruction */
	unsigned bp_len;
	unsigned insn_align; /* bytes; no instruction starts elsewhere */
	/* Does a breakpoint instruction start in @code, prefixes and all? (bp_insn is the form that we write.) */
	bool (*is_bp)(const uint8_t *code, size_t n);
	bool watch_before;         /* the watchpoint trap comes before the access (arm64) */
	bool hw_before_fetch;      /* breakpoints in debug registers hit where the fetch would fault, too (x86) */
	struct arch_hw_max hw_max; /* what a processor has as a rule; where the numbers differ a target knows its own */

	/* The layout for a client that connects while a vCPU is in this state (needs ARCH_CORE|ARCH_SYS). */
	const struct arch_layout *(*layout)(const struct arch_regs *r);
	bool one_layout;                    /* it is the same in every mode */
	const struct arch_layout *all_regs; /* every register whatever the mode; NULL: any layout has them */
	const char *const *report_regs;     /* names of what a line about a vCPU has beside pc and sp; ends with NULL */

	/* pc as a linear address (x86: cs.base + rip), and the way back. */
	uint32_t pc_groups; /* registers that it needs */
	gva (*pc_get)(const struct arch_regs *r);
	int (*pc_set)(struct arch_regs *r, gva pc); /* -EINVAL: not reachable with this code segment */

	uint32_t walk_groups; /* registers that what follows needs */

	/*
	 * Translation in the mode that the vCPU is in now. See mmu_x86_walk(), mmu_arm64_walk(). While Linux's
	 * page-table isolation hides the kernel, its addresses are looked up in the kernel's tables of the process.
	 */
	int (*walk)(const struct arch_regs *r, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out);

	/*
	 * As walk(), but with one name for each place, to go through all of an address space: bits that translation
	 * ignores (tags) must be those that stand there without a tag. NULL: there are none.
	 */
	int (*walk_untagged)(const struct arch_regs *r, mmu_read_fn *rd, void *arg, gva at, struct mmu_xlat *out);

	/* The entries that walk() read for @at, a line each, and whatever else a person wants to know of them. */
	void (*pt_text)(const struct arch_regs *r, gva at, const struct mmu_xlat *x, struct strbuf *out);

	/* The flags of the entry that maps a page: a letter each, or -. */
	void (*page_flags)(const struct mmu_xlat *x, struct strbuf *out);

	/*
	 * The address space that a vCPU is in, by the root of its page tables (x86: CR3 without the bits that are no
	 * address). With Linux's page-table isolation on x86 a process has two roots: in_space() is true for either of
	 * them in either of them.
	 */
	const char *space_name; /* what holds the root: "cr3" */
	uint64_t (*space)(const struct arch_regs *r);
	bool (*in_space)(const struct arch_regs *r, uint64_t root, mmu_read_fn *rd, void *arg);

	const struct arch_stage2 *stage2; /* NULL: no guest here has one */

	/* What a person calls these: what brings a vCPU up, a guest's clock in seconds, a vCPU's counter of cycles. */
	const char *start_name, *clock_name, *counter_name;

	const char *(*mode_text)(const struct arch_regs *r); /* "real mode", "64-bit", ... */

	/**
	 * hw_encode() - turn @n requests into debug registers; an odd range may take several slots.
	 * @max: the slots that there are. x86 does not look at it: it always has four.
	 * Returns: 0; -EINVAL: length or alignment no slot can watch; -ENOTSUP: kind the hardware lacks
	 * (x86 HW_READ); -ENOSPC: more slots than there are. @out untouched on failure.
	 */
	int (*hw_encode)(const struct arch_hw_max *max, const struct hw_break *req, unsigned n,
			 struct arch_hw_state *out);

	/*
	 * The slot that a debug trap belongs to: index, or -ENOENT. x86: @status is DR6, data goes before exec.
	 * arm64: @status is ESR, and @at FAR for a watchpoint, pc for a breakpoint. The watchpoints of @st are all that
	 * the processor has, in its order: the first that has FAR in it, or the nearest if there is none.
	 */
	int (*hw_decode)(const struct arch_hw_state *st, uint64_t status, gva at);
};

extern const struct arch arch_x86, arch_arm64;
extern const struct arch_layout arch_layout_x86_64, arch_layout_i386, arch_layout_i8086;
extern const struct arch_layout arch_layout_any_x86_64, arch_layout_any_i386, arch_layout_any_i8086;

/**
 * arch_layout_arm64() - the registers of a vCPU whose longest vector has @vl bytes, with or without those of EL2.
 * @vl: a power of two from 16; for any other length, and for 0, there are the V registers, which every vCPU has.
 */
const struct arch_layout *arch_layout_arm64(uint32_t vl, bool el2);

/** arch_reg_size() - bytes of register @num on the wire. @num < l->nregs. */
unsigned arch_reg_size(const struct arch_layout *l, unsigned num);

/** arch_g_size() - bytes of all registers together: the g packet before hex. */
size_t arch_g_size(const struct arch_layout *l);

/**
 * arch_reg_get() - the wire bytes (guest byte order) of register @num.
 * @buf: arch_reg_size() bytes, at most ARCH_REG_MAX.
 * Needs:   the row's group (and ARCH_SYS for a linear pc) in r->have.
 * Returns: 0; -ENODATA: this register cannot be read (the caller sends x's).
 */
int arch_reg_get(const struct arch_layout *l, unsigned num, const struct arch_regs *r, void *buf);

/**
 * arch_reg_set() - store wire bytes into @r and mark the row's group dirty.
 * Returns: 0; -EINVAL: wrong length, or a value the register cannot hold; -EPERM: read-only; -ENODATA.
 */
int arch_reg_set(const struct arch_layout *l, unsigned num, struct arch_regs *r, const void *buf, size_t len);

/** arch_reg_groups() - groups (enum arch_group bits) that must be fetched to read register @num. */
uint32_t arch_reg_groups(const struct arch_layout *l, unsigned num);

/**
 * arch_reg_volatile() - does the machine change register @num by itself? Clocks and control registers: what a debugger
 * puts back after an inferior call must leave them alone.
 */
bool arch_reg_volatile(const struct arch_layout *l, unsigned num);

/** arch_reg_dwarf() - the number of register @num in DWARF's numbering for the architecture; -ENOENT: it has none. */
int arch_reg_dwarf(const struct arch_layout *l, unsigned num);

/** arch_reg_find() - number of the register called @name; -ENOENT. */
int arch_reg_find(const struct arch_layout *l, const char *name);

/**
 * arch_hw_nearest() - the address in @b that is nearest to @at: where an access at @at has touched what is watched.
 * Clients look for one of their watchpoints that has it.
 */
gva arch_hw_nearest(const struct hw_break *b, gva at);

/** arch_target_xml() - append the whole target description (one document, no includes). */
void arch_target_xml(const struct arch_layout *l, struct strbuf *out);

#endif

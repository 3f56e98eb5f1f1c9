/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/frame.h"

#include <inttypes.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"

enum { GROUP_BITS = 7, GROUP_MARK = 0x80 };

static const char regs_x86_64[] =
	"rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip rflags cs ss ds es "
	"fs gs cr0 cr2 cr3 cr4 efer";
static const char regs_i386[] = "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs cr0 cr2 cr3 cr4";
static const char regs_arm64[] = "x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 "
				 "x23 x24 x25 x26 x27 x28 x29 x30 sp pc cpsr sctlr ttbr0 ttbr1 tcr mair vbar esr far "
				 "elr spsr";

static const struct kind {
	uint8_t kind;
	const char *name;
	const char *regs; // of a register dump: their names, in the order in which they are sent
	unsigned size;    // of each
	unsigned min, max;
} kinds[] = {
	{ FRAME_U64, "value", NULL, 8, 8, 8 },
	{ FRAME_MEM, "memory", NULL, 1, 8, FRAME_PAYLOAD_MAX },
	{ FRAME_REGS_X86_64, "registers", regs_x86_64, 8, 8, 29 * 8 },
	{ FRAME_REGS_I386, "registers", regs_i386, 4, 4, 20 * 4 },
	{ FRAME_REGS_ARM64, "registers", regs_arm64, 8, 8, 44 * 8 },
};

static const struct kind *kind_named(uint32_t kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].kind == kind)
			return &kinds[i];
	return NULL;
}

static const struct kind *kind_of(const struct frame *f)
{
	return kind_named(f->msg[0]);
}

static size_t payload_len(const struct frame *f)
{
	return ld_le16(f->msg + 3);
}

static const char unknown_kind[] = "unknown kind";

static const char *head_error(const struct frame *f)
{
	const struct kind *k = kind_of(f);
	const size_t len = payload_len(f);

	if (!k)
		return unknown_kind;
	return len < k->min || len > k->max || (len - k->min) % k->size ? "wrong length" : NULL;
}

/* FNV-1a: the least code on the guest's side, in any mode of any processor. */
static uint32_t check_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 16777619u;
	return sum;
}

static enum frame_event ends(struct frame *f, enum frame_event how)
{
	f->open = false;
	return how;
}

static enum frame_event take_byte(struct frame *f, uint8_t byte, const char **why)
{
	f->msg[f->have++] = byte;
	if (f->have < FRAME_HEAD)
		return FRAME_GOES_ON;
	if (f->have == FRAME_HEAD && (*why = head_error(f)))
		return ends(f, FRAME_BROKEN);

	const size_t checked = FRAME_HEAD + payload_len(f);
	if (f->have < checked + FRAME_CHECK)
		return FRAME_GOES_ON;
	if (check_sum(f->msg, checked) == ld_le32(f->msg + checked))
		return ends(f, FRAME_DONE);
	*why = "check sum";
	return ends(f, FRAME_BROKEN);
}

enum frame_event frame_feed(struct frame *f, uint8_t byte, const char **why)
{
	if (byte == FRAME_START) {
		f->open = true;
		f->bits = f->nbits = 0;
		f->have = 0;
		return FRAME_BEGINS;
	}
	if (!f->open || !(byte & GROUP_MARK))
		return FRAME_NONE;
	f->bits |= (uint32_t)(byte & ~GROUP_MARK) << f->nbits;
	f->nbits += GROUP_BITS;
	if (f->nbits < 8) {
		if (f->have || kind_named(f->bits)) // no kind has more than 7 bits
			return FRAME_GOES_ON;
		*why = unknown_kind;
		return ends(f, FRAME_IS_NONE);
	}
	byte = (uint8_t)f->bits;
	f->bits >>= 8;
	f->nbits -= 8;
	return take_byte(f, byte, why);
}

enum frame_kind frame_kind(const struct frame *f)
{
	return f->msg[0];
}

uint16_t frame_id(const struct frame *f)
{
	return ld_le16(f->msg + 1);
}

const char *frame_kind_name(const struct frame *f)
{
	return kind_of(f)->name;
}

bool frame_is_kind_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return true;
	return false;
}

static void add_field(struct strbuf *out, const char *name, size_t name_len, uint64_t value)
{
	strbuf_add(out, name, name_len);
	strbuf_addc(out, '\0');
	strbuf_addf(out, "0x%" PRIx64, value);
	strbuf_addc(out, '\0');
}

static unsigned add_regs(const struct frame *f, const struct kind *k, struct strbuf *out)
{
	const uint8_t *p = f->msg + FRAME_HEAD, *end = p + payload_len(f);
	const char *name = k->regs;
	unsigned n = 0;

	for (; p < end; p += k->size, n++) {
		const size_t len = strcspn(name, " ");

		add_field(out, name, len, k->size == 8 ? ld_le64(p) : ld_le32(p));
		name += len + (name[len] == ' ');
	}
	return n;
}

unsigned frame_fields(const struct frame *f, struct strbuf *out)
{
	const struct kind *k = kind_of(f);
	const uint8_t *p = f->msg + FRAME_HEAD;

	if (k->regs)
		return add_regs(f, k, out);
	if (k->kind == FRAME_U64) {
		add_field(out, "value", 5, ld_le64(p));
		return 1;
	}
	add_field(out, "address", 7, ld_le64(p));
	strbuf_add(out, "data", 5);
	strbuf_addhex(out, p + 8, payload_len(f) - 8);
	strbuf_addc(out, '\0');
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arch/arm64_decode.h"
#include "test.h"
#include "util/macros.h"

static struct strbuf out;

#define CHECK_HAS(text, part)                                         \
	do {                                                          \
		const char *text_ = (text);                           \
		if (!strstr(text_, part))                             \
			fail_msg("'%s' is not in:\n%s", part, text_); \
	} while (0)

#define CHECK_HAS_NOT(text, part)                                 \
	do {                                                      \
		const char *text_ = (text);                       \
		if (strstr(text_, part))                          \
			fail_msg("'%s' is in:\n%s", part, text_); \
	} while (0)

/* ---- SPSR ---- */

static const char *spsr(uint64_t v)
{
	strbuf_reset(&out);
	arm64_spsr_text("SPSR_EL1", v, &out);
	return strbuf_str(&out);
}

static const char *spsr_line(uint64_t v)
{
	char *end = strchr(spsr(v), '\n');

	*end = '\0';
	return out.s;
}

TEST(spsr_says_mode_flags_and_masks_in_one_line)
{
	CHECK_STR(spsr_line(0x600003c5), "SPSR_EL1 0x600003c5: AArch64 EL1h, flags nZCv, masks DAIF");
	CHECK_STR(spsr_line(0x80001000), "SPSR_EL1 0x80001000: AArch64 EL0t, flags Nzcv, masks daif");
	CHECK_STR(spsr_line(0x3c9), "SPSR_EL1 0x3c9: AArch64 EL2h, flags nzcv, masks DAIF");
	CHECK_STR(spsr_line(0x60000030), "SPSR_EL1 0x60000030: AArch32 User T32, flags nZCv, masks aif");
	CHECK_STR(spsr_line(0x1d3), "SPSR_EL1 0x1d3: AArch32 Supervisor A32, flags nzcv, masks AIF");
	CHECK_STR(spsr_line(0x2), "SPSR_EL1 0x2: AArch64 in a reserved mode, flags nzcv, masks daif");
	strbuf_deinit(&out);
}

TEST(every_field_of_an_spsr_has_a_line)
{
	CHECK_STR(spsr(0x20601405), "SPSR_EL1 0x20601405: AArch64 EL1h, flags nzCv, masks daif\n"
				    "  N            31     0\n"
				    "  Z            30     0\n"
				    "  C            29     1         carry\n"
				    "  V            28     0\n"
				    "  DIT          24     0\n"
				    "  UAO          23     0\n"
				    "  PAN          22     1         no access to what EL0 can access\n"
				    "  SS           21     1         software step: not yet stepped\n"
				    "  IL           20     0\n"
				    "  SSBS         12     1         speculative store bypass allowed\n"
				    "  BTYPE        11:10  0x1       jump by x16 or x17, or from an unguarded page\n"
				    "  D            9      0\n"
				    "  A            8      0\n"
				    "  I            7      0\n"
				    "  F            6      0\n"
				    "  M[4]         4      0         AArch64\n"
				    "  M[3:0]       3:0    0x5       EL1h\n");
	strbuf_deinit(&out);
}

TEST(spsr_of_aarch32_puts_it_together)
{
	CHECK_HAS(spsr(0x0600fc30), "IT[1:0]      26:25  0x3       IT is 0xff\n");
	CHECK_HAS(spsr(0x0200a030), "IT is 0xa1\n");
	CHECK_HAS(spsr(0x210), "E            9      1         big-endian\n");
	CHECK_HAS(spsr(0x14), "M[3:0]       3:0    0x4       reserved\n");
	strbuf_deinit(&out);
}

TEST(spsr_shows_younger_bits_when_they_are_set)
{
	CHECK_HAS_NOT(spsr(0x3c5), "ALLINT");
	CHECK_HAS(spsr(0x23c5), "ALLINT       13     1         all interrupts masked\n");
	CHECK_HAS(spsr(0x4000003c5), "EXLOCK");
	CHECK_HAS(spsr(0x80000000000003c5), "other bits set, of no field known here: 0x8000000000000000\n");
	strbuf_deinit(&out);
}

/* ---- HPFAR ---- */

static const char *hpfar(uint64_t v, uint64_t far, uint64_t esr)
{
	strbuf_reset(&out);
	arm64_hpfar_text(v, far, esr ? &esr : NULL, &out);
	return strbuf_str(&out);
}

TEST(hpfar_and_far_make_an_ipa)
{
	CHECK_STR(hpfar(0x90000, 0xffff800008005018, 0),
		  "IPA 0x9000018: page 0x9000000 of HPFAR_EL2, offset 0x18 of FAR_EL2\n"
		  "  FIPA         47:4   0x9000    bits 55:12 of the IPA\n");
	// 52 bits of IPA
	CHECK_HAS(hpfar(0xfffffffffff0, 0xfff, 0), "IPA 0xffffffffffffff: ");
	CHECK_HAS(hpfar(0x80000000000, 0x1234, 0), "IPA 0x8000000000234: page 0x8000000000000 ");
	CHECK_HAS(hpfar(0x8000000000090000, 0, 0), "NS           63     1         Non-secure IPA space\n");
	CHECK_HAS(hpfar(0x9000f, 0, 0), "other bits set, of no field known here: 0xf\n");
	strbuf_deinit(&out);
}

TEST(hpfar_is_valid_for_faults_of_stage_2)
{
	const char *t = hpfar(0x90000, 0xffff800008005018, 0x93810006);

	CHECK_HAS(t, "IPA 0x9000018: ");
	CHECK_HAS(t, "  ESR_EL2 0x93810006: data abort from a lower EL: translation fault, level 2, read of 4 bytes to "
		     "w1\n");
	CHECK_HAS(t, "  HPFAR_EL2 is valid: it is the page that was accessed\n");
	CHECK_HAS(hpfar(0x400000, 0x10, 0x8200000b), "IPA 0x40000010: "); // access flag, instruction
	CHECK_HAS(hpfar(0x400000, 0x10, 0x92000003), "IPA 0x40000010: "); // address size
	strbuf_deinit(&out);
}

TEST(hpfar_of_a_table_walk_has_no_offset)
{
	const char *t = hpfar(0x400010, 0xffff800008005018, 0x92000087);

	CHECK_HAS(t, "IPA of the page 0x40001000\n");
	CHECK_HAS(t, "the page of the stage 1 table descriptor");
	// valid for a permission fault, too
	CHECK_HAS(hpfar(0x400010, 0, 0x9200008f), "IPA of the page 0x40001000\n");
	strbuf_deinit(&out);
}

TEST(hpfar_that_is_not_valid_gives_no_ipa)
{
	CHECK_HAS(hpfar(0x400010, 0x18, 0x9200004f), "no IPA\n");
	CHECK_HAS(hpfar(0x400010, 0x18, 0x9200004f),
		  "may be anything after a permission fault that is not on a stage 1 table walk");
	CHECK_HAS(hpfar(0x400010, 0x18, 0x96000006), "EL2's own accesses have no stage 2\n");
	CHECK_HAS(hpfar(0x400010, 0x18, 0x5a000000), "this is not an abort\n");
	CHECK_HAS(hpfar(0x400010, 0x18, 0x92000610), "ESR_EL2.FnV is set\n");
	CHECK_HAS(hpfar(0x400010, 0x18, 0x92000210),
		  "not a translation, access flag or address size fault of stage 2\n");
	strbuf_deinit(&out);
}

/* ---- list registers ---- */

static const char *lr3(const uint64_t *v, unsigned n)
{
	strbuf_reset(&out);
	arm64_lr_text(v, n, false, &out);
	return strbuf_str(&out);
}

static const char *lr2(const uint64_t *v, unsigned n)
{
	strbuf_reset(&out);
	arm64_lr_text(v, n, true, &out);
	return strbuf_str(&out);
}

#define LR3(...) lr3((const uint64_t[]){ __VA_ARGS__ }, ARRAY_LEN(((const uint64_t[]){ __VA_ARGS__ })))
#define LR2(...) lr2((const uint64_t[]){ __VA_ARGS__ }, ARRAY_LEN(((const uint64_t[]){ __VA_ARGS__ })))

/* What KVM makes of the virtual timer, a virtio device's SPI, an LPI and an SGI. */
TEST(a_row_for_each_list_register)
{
	CHECK_STR(LR3(0x70a0001b0000001b, 0x90a002000000002f, 0x50a0000000002001, 0xd080000000000007, 0),
		  "LR  state           HW  group  priority  vINTID             pINTID\n"
		  "0   pending         1   1      0xa0      27 (PPI 11)        27 (PPI 11)\n"
		  "1   active          0   1      0xa0      47 (SPI 15)        -                  EOI maintenance "
		  "interrupt\n"
		  "2   pending         0   1      0xa0      8193 (LPI 1)       -\n"
		  "3   pending+active  0   1      0x80      7 (SGI 7)          -\n"
		  "4   invalid         0   0      0x00      -                  -\n"
		  "1 of 5 list registers free\n");
	strbuf_deinit(&out);
}

TEST(full_list_registers_are_said_to_be)
{
	CHECK_HAS(LR3(0x70a0001b0000001b, 0x90a0000000000020), "all list registers full\n");
	CHECK_HAS(LR3(0x50a0000000000020), "all list registers full\n");
	CHECK_HAS(LR3(0), "1 of 1 list registers free\n");
	CHECK_HAS_NOT(LR3(0x50a0000000000020, 0), "full");
	strbuf_deinit(&out);
}

/* ICH_ELRSR_EL2 does not count it as free, ICH_EISR_EL2 has it. */
TEST(a_list_register_whose_eoi_is_due_is_not_free_yet)
{
	const char *t = LR3(0x00a0020000000030, 0, 0x50a0000000000020);

	CHECK_HAS(t, "0   invalid         0   0      0xa0      48 (SPI 16)        -                  EOI maintenance "
		     "interrupt is due\n");
	CHECK_HAS(t, "1 of 3 list registers free, 1 not yet: EOI maintenance interrupt due\n");
	// with HW set bit 41 is of the pINTID
	CHECK_HAS(LR3(0x20a0020000000030), "512 (SPI 480)\n1 of 1 list registers free\n");
	strbuf_deinit(&out);
}

TEST(odd_list_registers_are_told)
{
	CHECK_HAS(LR3(0x5800000000000020), "non-maskable\n");
	CHECK_HAS(LR3(0x50a0010000000020), "reserved bits 0x10000000000\n");
	CHECK_HAS(LR3(0x50a00000000003ff), "1023 (special)");
	CHECK_HAS(LR3(0x50a0000000000500), "1280 (reserved)");
	CHECK_HAS(LR3(0x50a0000000000420), "1056 (EPPI 0)");
	CHECK_HAS(LR3(0x50a0000000001000), "4096 (ESPI 0)");
	strbuf_deinit(&out);
}

TEST(list_registers_of_a_gicv2)
{
	CHECK_STR(LR2(0x9a006c1b, 0x5a0c0021, 0x1a000801, 0),
		  "LR  state           HW  group  priority  vINTID             pINTID\n"
		  "0   pending         1   0      0xa0      27 (PPI 11)        27 (PPI 11)\n"
		  "1   pending         0   1      0xa0      33 (SPI 1)         -                  EOI maintenance "
		  "interrupt, "
		  "reserved bits 0x40000\n"
		  "2   pending         0   0      0xa0      1 (SGI 1)          -                  from CPU 2\n"
		  "3   invalid         0   0      0x00      -                  -\n"
		  "1 of 4 list registers free\n");
	CHECK_HAS(LR2(0x7a000020), "active "); // 0b11 is both
	CHECK_HAS(LR2(0x6a000020), "0   active   ");
	strbuf_deinit(&out);
}

/* ---- descriptors ---- */

static const char *pte(unsigned stage, int level, unsigned page_bits, uint64_t v)
{
	struct arm64_pte_place p = { .level = level, .page_bits = page_bits, .stage2 = stage == 2 };

	CHECK(arm64_pte_place_valid(&p));
	strbuf_reset(&out);
	arm64_pte_text(&p, v, &out);
	return strbuf_str(&out);
}

/* From Linux: kernel text, a clean page of a process, the linear map, a table. */
TEST(descriptors_of_stage_1)
{
	CHECK_STR(pte(1, 2, 12, 0x50000040200791),
		  "PTE 0x50000040200791, stage 1, level 2, 4K tables: block of 2M at 0x40200000, EL1 r-x, EL0 ---\n"
		  "  UXN          54     1         not executable at EL0\n"
		  "  PXN          53     0         executable at EL1\n"
		  "  Contiguous   52     1         one of a group that a TLB may join\n"
		  "  DBM          51     0\n"
		  "  address      47:21  0x201     0x40200000\n"
		  "  nG           11     0         global\n"
		  "  AF           10     1         accessed\n"
		  "  SH           9:8    0x3       inner shareable\n"
		  "  AP[2:1]      7:6    0x2       EL1 read-only\n"
		  "  AttrIndx     4:2    0x4       memory type is MAIR.Attr4\n");
	CHECK_HAS(pte(1, 3, 12, 0xe8000048123fc3), "page of 4K at 0x48123000, EL1 r--, EL0 r--\n");
	CHECK_HAS(pte(1, 3, 12, 0xe8000048123fc3), "software     58:55  0x1\n");
	CHECK_HAS(pte(1, 3, 12, 0xe8000048123fc3), "DBM          51     1         hardware manages the dirty state\n");
	CHECK_HAS(pte(1, 3, 12, 0x48123f43), "EL1 rw-, EL0 rwx\n"); // writable at EL0: not executable at EL1
	CHECK_HAS(pte(1, 3, 12, 0x48123b43), "EL0 rwx, access flag clear\n");
	CHECK_STR(pte(1, 0, 12, 0x1800000040300003),
		  "PTE 0x1800000040300003, stage 1, level 0, 4K tables: table at 0x40300000\n"
		  "  APTable      62:61  0x0       no limit\n"
		  "  UXNTable     60     1         not executable at EL0\n"
		  "  PXNTable     59     1         not executable at EL1\n"
		  "  address      47:12  0x40300   0x40300000\n");
	strbuf_deinit(&out);
}

TEST(descriptors_of_stage_2)
{
	CHECK_HAS(pte(2, 2, 12, 0x400000480007fd), "block of 2M at 0x48000000, EL1 rw-, EL0 rw-\n");
	CHECK_HAS(pte(2, 2, 12, 0x400000480007fd), "MemAttr      5:2    0xf       Normal, write-back (without FWB)\n");
	CHECK_HAS(pte(2, 3, 12, 0x9000447), "page of 4K at 0x9000000, EL1 r-x, EL0 r-x\n");
	CHECK_HAS(pte(2, 3, 12, 0x9000447), "MemAttr      5:2    0x1       Device-nGnRE (without FWB)\n");
	CHECK_HAS(pte(2, 3, 12, 0x20000009000447), "EL1 r--, EL0 r-x\n");
	CHECK_HAS(pte(2, 3, 12, 0x60000009000447), "EL1 r-x, EL0 r--\n");
	CHECK_HAS(pte(2, 1, 12, 0x48001003), "table at 0x48001000\n");
	CHECK_HAS_NOT(pte(2, 1, 12, 0x48001003), "APTable");
	strbuf_deinit(&out);
}

TEST(descriptors_lead_nowhere_where_they_cannot)
{
	CHECK_STR(pte(1, 3, 12, 0), "PTE 0, stage 1, level 3, 4K tables: invalid, bit 0 is clear\n");
	CHECK_HAS(pte(1, 3, 12, 0x40200702), "invalid, bit 0 is clear\n"); // Linux: no access from anywhere
	CHECK_HAS(pte(1, 3, 12, 0x40200701), "reserved, no block can be at this level\n");
	CHECK_HAS(pte(1, 0, 14, 0x40200701), "reserved");
	strbuf_deinit(&out);
}

TEST(descriptors_have_the_sizes_of_their_granule)
{
	CHECK_HAS(pte(1, 1, 12, 0x40000701), "block of 1G at 0x40000000,");
	CHECK_HAS(pte(1, 0, 12, 0x701), "block of 512G at 0, EL1 rwx, EL0 --x (here only with 52-bit addresses)\n");
	CHECK_HAS(pte(1, 2, 14, 0x42000701), "block of 32M at 0x42000000,");
	CHECK_HAS(pte(1, 3, 14, 0x42004703), "page of 16K at 0x42004000,");
	CHECK_HAS(pte(1, 2, 16, 0x60000701), "block of 512M at 0x60000000,");
	CHECK_HAS(pte(1, 3, 16, 0x60010703), "page of 64K at 0x60010000,");
	CHECK_HAS(pte(1, 3, 16, 0x6001a703), "page of 64K at 0xa000060010000,");
	CHECK_HAS(pte(1, 3, 16, 0x6001a703), "0xa000060010000, with bits of a 52-bit address in 15:12\n");
	CHECK_HAS(pte(1, -1, 12, 0x3000040300003), "table at 0x3000040300000\n");
	strbuf_deinit(&out);
}

TEST(granules_have_their_levels)
{
	static const struct {
		unsigned page_bits;
		int first;
	} t[] = { { 12, -1 }, { 14, 0 }, { 16, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		for (int level = -3; level < 6; level++)
			CHECK_EQ(arm64_pte_place_valid(&(struct arm64_pte_place){ level, t[i].page_bits, false }),
				 level >= t[i].first && level <= 3);
	CHECK(!arm64_pte_place_valid(&(struct arm64_pte_place){ 3, 13, false }));
}

TESTS(T(spsr_says_mode_flags_and_masks_in_one_line), T(every_field_of_an_spsr_has_a_line),
      T(spsr_of_aarch32_puts_it_together), T(spsr_shows_younger_bits_when_they_are_set), T(hpfar_and_far_make_an_ipa),
      T(hpfar_is_valid_for_faults_of_stage_2), T(hpfar_of_a_table_walk_has_no_offset),
      T(hpfar_that_is_not_valid_gives_no_ipa), T(a_row_for_each_list_register), T(full_list_registers_are_said_to_be),
      T(a_list_register_whose_eoi_is_due_is_not_free_yet), T(odd_list_registers_are_told), T(list_registers_of_a_gicv2),
      T(descriptors_of_stage_1), T(descriptors_of_stage_2), T(descriptors_lead_nowhere_where_they_cannot),
      T(descriptors_have_the_sizes_of_their_granule), T(granules_have_their_levels))

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>

#include "util/bytes.h"
#include "util/macros.h"
#include "vmm/boot_x86_internal.h"

/* Source: Xen public headers "elfnote.h" (XEN_ELFNOTE_PHYS32_ENTRY) and "arch-x86/hvm/start_info.h". */
enum { PVH_NOTE = 18, PVH_MAGIC = 0x336ec578, PVH_VERSION = 1 };

struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	uint32_t memmap_entries, reserved;
};
struct pvh_module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};
struct pvh_range {
	uint64_t addr, size;
	uint32_t type, reserved;
};
/* How we lay them out at BOOT_INFO. */
struct pvh_block {
	struct pvh_start_info info;
	struct pvh_module initrd;
	struct pvh_range map[BOOT_E820_MAX];
};
_Static_assert(sizeof(struct pvh_start_info) == 56 && sizeof(struct pvh_range) == 24, "PVH structures");

/* Above this Linux does not look for an initrd when no bzImage header says otherwise. */
enum { INITRD_MAX = 0x7fffffff, CMDLINE_MAX = 2047 };

struct image {
	const char *name;
	const uint8_t *p;
	size_t n;
	Elf *elf;
	GElf_Ehdr hdr;
	size_t nphdrs;
	uint64_t end;   /* of the highest segment */
	uint64_t bytes; /* in memory, of all segments */
};

static void image_close(struct image *m)
{
	elf_end(m->elf);
}

static const char *machine_name(unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} names[] = {
		{ EM_AARCH64, "arm64" }, { EM_ARM, "32-bit Arm" }, { EM_RISCV, "RISC-V" },
		{ EM_PPC64, "PowerPC" }, { EM_S390, "s390" },      { EM_MIPS, "MIPS" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return "another architecture";
}

static int image_check(struct image *m, struct errtext *why)
{
	unsigned machine;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return errtext_set(why, -ENOTSUP, "libelf: %s", elf_errmsg(-1));
	m->elf = elf_memory((char *)(uintptr_t)m->p, m->n); // only read: our byte order needs no conversion in place
	if (!m->elf || elf_kind(m->elf) != ELF_K_ELF || !gelf_getehdr(m->elf, &m->hdr))
		return errtext_set(why, -ENOEXEC, "%s is a broken or truncated ELF file: %s", m->name, elf_errmsg(-1));
	machine = m->hdr.e_machine;
	if (machine != EM_X86_64 && machine != EM_386)
		return errtext_set(why, -ENOEXEC, "%s is an ELF file for %s (machine %u): expected x86", m->name,
				   machine_name(machine), machine);
	if (m->hdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return errtext_set(why, -ENOEXEC, "%s is a big-endian ELF file", m->name);
	if (m->hdr.e_type != ET_EXEC && m->hdr.e_type != ET_DYN)
		return errtext_set(why, -ENOEXEC, "%s is an ELF %s: expected an executable (vmlinux)", m->name,
				   m->hdr.e_type == ET_REL    ? "object file"
				   : m->hdr.e_type == ET_CORE ? "core file"
							      : "file of an odd type");
	if (elf_getphdrnum(m->elf, &m->nphdrs) < 0)
		return errtext_set(why, -ENOEXEC, "%s is a broken or truncated ELF file: %s", m->name, elf_errmsg(-1));
	return 0;
}

static bool is_loaded(const GElf_Phdr *ph)
{
	return ph->p_type == PT_LOAD && ph->p_memsz > 0;
}

static int phdr_get(struct image *m, size_t i, GElf_Phdr *ph, struct errtext *why)
{
	if (!gelf_getphdr(m->elf, (int)i, ph))
		return errtext_set(why, -ENOEXEC, "%s is a broken or truncated ELF file: %s", m->name, elf_errmsg(-1));
	if (!is_loaded(ph) && ph->p_type != PT_NOTE)
		return 0;
	if (ph->p_offset > m->n || ph->p_filesz > m->n - ph->p_offset)
		return errtext_set(why, -ENOEXEC,
				   "%s is truncated: segment %zu ends at byte %" PRIu64 ", the file has %zu", m->name,
				   i, ph->p_offset + ph->p_filesz, m->n);
	return 0;
}

static int segment_check(struct image *m, const GElf_Phdr *ph, struct mem *mem, struct errtext *why)
{
	uint64_t end;
	char need[24], have[24];

	if (ph->p_filesz > ph->p_memsz)
		return errtext_set(why, -ENOEXEC, "%s is broken: a segment has more bytes in the file than in memory",
				   m->name);
	if (ph->p_paddr < BOOT_KERNEL)
		return errtext_set(why, -ENOEXEC, "%s wants to be at %#" PRIx64 "; a kernel must be at 1 MiB or above",
				   m->name, (uint64_t)ph->p_paddr);
	if (__builtin_add_overflow(ph->p_paddr, ph->p_memsz, &end) || !mem_ptr(mem, GPA(ph->p_paddr), ph->p_memsz))
		return errtext_set(why, -EFBIG, "the kernel %s wants %s at %#" PRIx64 "; this guest has %s of memory",
				   m->name, boot_size_text(ph->p_memsz, need), (uint64_t)ph->p_paddr,
				   boot_size_text(mem->ram_size, have));
	m->end = MAX(m->end, end);
	m->bytes += ph->p_memsz;
	if (m->bytes > mem->ram_size) // thousands of such would take hours to load
		return errtext_set(why, -ENOEXEC, "%s is broken: its segments overlap", m->name);
	return 0;
}

static int image_load(struct image *m, struct mem *mem, struct errtext *why)
{
	GElf_Phdr ph;
	int rc;

	for (size_t i = 0; i < m->nphdrs; i++) {
		rc = phdr_get(m, i, &ph, why);
		if (rc == 0 && is_loaded(&ph))
			rc = segment_check(m, &ph, mem, why);
		if (rc < 0)
			return rc;
	}
	if (m->end == 0)
		return errtext_set(why, -ENOEXEC, "%s has nothing to load: no PT_LOAD segment", m->name);
	for (size_t i = 0; i < m->nphdrs; i++) {
		uint8_t *to;

		rc = phdr_get(m, i, &ph, why);
		if (rc < 0)
			return rc;
		if (!is_loaded(&ph))
			continue;
		to = mem_ptr(mem, GPA(ph.p_paddr), ph.p_memsz);
		memcpy(to, m->p + ph.p_offset, ph.p_filesz);
		memset(to + ph.p_filesz, 0, ph.p_memsz - ph.p_filesz);
	}
	return 0;
}

/* Is @at inside what was loaded? An entry elsewhere would run zeros. */
static bool entry_is_loaded(struct image *m, uint64_t at)
{
	GElf_Phdr ph;

	for (size_t i = 0; i < m->nphdrs; i++)
		if (gelf_getphdr(m->elf, (int)i, &ph) && is_loaded(&ph) && at >= ph.p_paddr &&
		    at - ph.p_paddr < ph.p_memsz)
			return true;
	return false;
}

static bool note_find(Elf_Data *d, uint64_t *entry)
{
	size_t off = 0, next, name, desc;
	GElf_Nhdr nh;

	for (; (next = gelf_getnote(d, off, &nh, &name, &desc)) > 0; off = next) {
		const uint8_t *p = d->d_buf;

		if (nh.n_type != PVH_NOTE || nh.n_namesz != 4 || memcmp(p + name, "Xen", 4) != 0)
			continue;
		if (nh.n_descsz != 4 && nh.n_descsz != 8)
			continue;
		*entry = nh.n_descsz == 8 ? ld_le64(p + desc) : ld_le32(p + desc);
		return true;
	}
	return false;
}

static bool pvh_entry_find(struct image *m, uint64_t *entry)
{
	GElf_Phdr ph;

	for (size_t i = 0; i < m->nphdrs; i++) {
		Elf_Data *d;

		if (phdr_get(m, i, &ph, NULL) < 0 || ph.p_type != PT_NOTE || ph.p_filesz == 0)
			continue;
		d = elf_getdata_rawchunk(m->elf, (int64_t)ph.p_offset, ph.p_filesz,
					 ph.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (d && note_find(d, entry))
			return true;
	}
	return false;
}

/* Source: Xen "x86/HVM direct boot ABI" (docs/misc/pvh.pandoc). */
static void pvh_enter(uint32_t entry, uint64_t rsdp, uint64_t initrd, uint64_t initrd_size, struct mem *mem,
		      struct x86_regs *r)
{
	struct pvh_block *b = mem_ptr(mem, GPA(BOOT_INFO), sizeof(*b));
	struct boot_range range[BOOT_E820_MAX];
	unsigned n = boot_e820(mem, range);

	if (!b)
		return;
	memset(b, 0, sizeof(*b));
	b->info = (struct pvh_start_info){
		.magic = PVH_MAGIC,
		.version = PVH_VERSION,
		.cmdline_paddr = BOOT_CMDLINE,
		.rsdp_paddr = rsdp,
		.memmap_paddr = BOOT_INFO + offsetof(struct pvh_block, map),
		.memmap_entries = n,
	};
	if (initrd_size) {
		b->info.nr_modules = 1;
		b->info.modlist_paddr = BOOT_INFO + offsetof(struct pvh_block, initrd);
		b->initrd = (struct pvh_module){ .paddr = initrd, .size = initrd_size };
	}
	for (unsigned i = 0; i < n; i++)
		b->map[i] = (struct pvh_range){ range[i].start, range[i].size, range[i].type, 0 };
	boot_tables_write(mem);
	boot_regs_flat32(r, entry);
	r->gpr[X86_RBX] = BOOT_INFO;
}

int boot_elf(const struct vm_cfg *cfg, struct mem *mem, gpa rsdp, const uint8_t *img, size_t n, struct x86_regs *r,
	     struct errtext *why)
{
	_cleanup_(image_close) struct image m = { .name = cfg->kernel, .p = img, .n = n };
	struct boot_setup_header h = {
		.boot_flag = 0xaa55,
		.header = 0x53726448, // "HdrS"
		.version = 0x020f,
		.loadflags = BOOT_LOADED_HIGH,
		.initrd_addr_max = INITRD_MAX,
		.cmdline_size = CMDLINE_MAX,
	};
	struct boot_linux l = { .hdr = &h, .rsdp = rsdp.raw };
	uint64_t entry;
	bool pvh;
	int rc = image_check(&m, why);

	if (rc < 0)
		return rc;
	entry = m.hdr.e_entry;
	pvh = pvh_entry_find(&m, &entry);
	if (!pvh && m.hdr.e_ident[EI_CLASS] != ELFCLASS64)
		return errtext_set(why, -ENOEXEC, "%s is a 32-bit ELF file without a PVH note (Xen, PHYS32_ENTRY)",
				   m.name);
	rc = image_load(&m, mem, why);
	if (rc < 0)
		return rc;
	if (!entry_is_loaded(&m, entry) || entry > UINT32_MAX)
		return errtext_set(why, -ENOEXEC,
				   "%s starts at %#" PRIx64 ", which is outside what it loads below 4 GiB", m.name,
				   entry);
	rc = boot_cmdline_write(cfg->params, CMDLINE_MAX, mem, why);
	if (rc < 0)
		return rc;
	rc = boot_initrd_load(cfg->initrd, m.end, INITRD_MAX, mem, &l.initrd, &l.initrd_size, why);
	if (rc < 0)
		return rc;
	if (pvh) {
		pvh_enter((uint32_t)entry, rsdp.raw, l.initrd, l.initrd_size, mem, r);
		return 0;
	}
	l.entry = entry;
	boot_linux_enter(&l, mem, r);
	return 0;
}

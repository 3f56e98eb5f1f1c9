/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "checkpoint/frame.h"
#include "util/macros.h"

#define TOP (UINT64_C(1) << 32)
#define DELAY_WORD "io_delay" // in the names of Linux's functions that wait by writing to the port

/*
 * What compilers and people write; the out is at its end. Doublewords are left out: with four bytes of any value, too
 * much looks like one. Source: Intel SDM, "OUT", "MOV".
 */
static const struct pattern {
	uint8_t len;
	bool has_value; // in the second byte
	uint8_t byte[8], mask[8];
} patterns[] = {
	// clang-format off
	{ 4, true, { 0xb0, 0, 0xe6, 0x80 },                   { 0xff, 0, 0xff, 0xff } },                // mov al, imm8
	{ 7, true, { 0xb8, 0, 0, 0, 0, 0xe6, 0x80 },          { 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff } }, // mov eax, imm32
	{ 5, true, { 0xb8, 0, 0, 0xe6, 0x80 },                { 0xff, 0, 0xff, 0xff, 0xff } },          // mov ax, imm16
	{ 4, false, { 0x31, 0xc0, 0xe6, 0x80 },                { 0xff, 0xff, 0xff, 0xff } },             // xor eax, eax
	// clang-format on
};

static const uint8_t delay_code[] = { 0xe6, 0x80 };

struct function {
	uint64_t at, size;
	const char *name;
};

struct scan {
	struct checkpoint_scan *out;
	struct function *function;
	size_t nfunctions;
	bool oom;
};

void checkpoint_scan_destroy(struct checkpoint_scan *s)
{
	if (!s)
		return;
	free(s->site);
	free(s->delay);
	free(s->functions);
	free(s);
}

void checkpoint_scan_destroyp(struct checkpoint_scan **s)
{
	checkpoint_scan_destroy(*s);
}

/* Room for one more behind @n; NULL: out of memory. */
static void *grow(struct scan *s, void *array, size_t n, size_t size)
{
	void *grown = n & (n - 1) ? array : reallocarray(array, n ? 2 * n : 1, size); // full at powers of two only

	s->oom |= !grown;
	return grown;
}

/* ---- code ---- */

static bool matches(const struct pattern *p, const uint8_t *code, size_t left)
{
	if (left < p->len)
		return false;
	for (unsigned i = 0; i < p->len; i++)
		if ((code[i] ^ p->byte[i]) & p->mask[i])
			return false;
	return true;
}

static void add_site(struct scan *s, uint64_t at, uint64_t phys, uint8_t value)
{
	struct checkpoint_scan *o = s->out;
	struct checkpoint_site *grown = grow(s, o->site, o->nsites, sizeof(*grown));

	if (!grown)
		return;
	o->site = grown;
	o->site[o->nsites++] = (struct checkpoint_site){ .at = at, .phys = phys, .value = value };
}

/* Code that is at @at, and at @phys before paging is as it will be. */
static void scan_code(struct scan *s, const uint8_t *code, size_t n, uint64_t at, uint64_t phys)
{
	for (size_t i = 0; i < n && !s->oom; i++)
		for (size_t k = 0; k < ARRAY_LEN(patterns); k++) {
			const struct pattern *p = &patterns[k];

			if (!matches(p, code + i, n - i))
				continue;
			const size_t out = i + p->len - sizeof(delay_code);
			add_site(s, at + out, phys + out, p->has_value ? code[i + 1] : 0);
			i += p->len - 1;
			break;
		}
}

/* ---- ELF ---- */

static void add_delay(struct scan *s, const struct function *f, const uint8_t *code, size_t n)
{
	struct checkpoint_scan *o = s->out;

	if (!strstr(f->name, DELAY_WORD) || !memmem(code, n, delay_code, sizeof(delay_code)))
		return;
	struct checkpoint_delay *grown = grow(s, o->delay, o->ndelays, sizeof(*grown));
	if (!grown)
		return;
	o->delay = grown;
	o->delay[o->ndelays++] = (struct checkpoint_delay){ f->at, f->at + f->size, f->name };
}

/* Executable bytes of the file. */
static void scan_part(struct scan *s, const uint8_t *code, size_t n, uint64_t at, uint64_t phys)
{
	scan_code(s, code, n, at, phys);
	for (size_t i = 0; i < s->nfunctions; i++) {
		const struct function *f = &s->function[i];

		if (f->at >= at && f->at - at <= n && f->size <= n - (f->at - at))
			add_delay(s, f, code + (f->at - at), f->size);
	}
}

static uint64_t phys_of(Elf *elf, uint64_t at)
{
	size_t count = 0;
	GElf_Phdr ph;

	elf_getphdrnum(elf, &count);
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && at - ph.p_vaddr < ph.p_filesz)
			return at - ph.p_vaddr + ph.p_paddr;
	return at;
}

/* Segments of Linux have data among the code: sections tell. */
static bool scan_sections(struct scan *s, Elf *elf, const uint8_t *image, size_t n)
{
	bool found = false;
	GElf_Shdr sh;

	for (Elf_Scn *scn = NULL; !s->oom && (scn = elf_nextscn(elf, scn));) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_PROGBITS || !(sh.sh_flags & SHF_EXECINSTR) ||
		    sh.sh_offset > n || sh.sh_size > n - sh.sh_offset)
			continue;
		scan_part(s, image + sh.sh_offset, sh.sh_size, sh.sh_addr, phys_of(elf, sh.sh_addr));
		found = true;
	}
	return found;
}

static void scan_segments(struct scan *s, Elf *elf, const uint8_t *image, size_t n)
{
	size_t count = 0;
	GElf_Phdr ph;

	elf_getphdrnum(elf, &count);
	for (size_t i = 0; i < count && !s->oom; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_LOAD && (ph.p_flags & PF_X) && ph.p_offset <= n &&
		    ph.p_filesz <= n - ph.p_offset)
			scan_part(s, image + ph.p_offset, ph.p_filesz, ph.p_vaddr, ph.p_paddr);
}

static void add_function(struct scan *s, const GElf_Sym *sym, const char *name)
{
	struct function *grown = grow(s, s->function, s->nfunctions, sizeof(*grown));

	if (!grown)
		return;
	s->function = grown;
	s->function[s->nfunctions++] = (struct function){ sym->st_value, sym->st_size, name };
}

static void read_symbols(struct scan *s, Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Sym sym;

	for (int i = 0; data && gelf_getsym(data, i, &sym); i++) {
		const char *name = elf_strptr(elf, sh->sh_link, sym.st_name);

		if (GELF_ST_TYPE(sym.st_info) == STT_FUNC && sym.st_size && name && *name)
			add_function(s, &sym, name);
	}
}

static int function_cmp(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static void read_functions(struct scan *s, Elf *elf)
{
	GElf_Shdr sh;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));)
		if (gelf_getshdr(scn, &sh) && sh.sh_type == SHT_SYMTAB)
			read_symbols(s, elf, scn, &sh);
	if (s->nfunctions)
		qsort(s->function, s->nfunctions, sizeof(s->function[0]), function_cmp);
}

/* The last function that begins at or before @at and reaches that far. */
static const struct function *function_at(const struct scan *s, uint64_t at)
{
	size_t from = 0, to = s->nfunctions;

	while (from < to) {
		const size_t mid = from + (to - from) / 2;

		if (s->function[mid].at <= at)
			from = mid + 1;
		else
			to = mid;
	}
	return from && at - s->function[from - 1].at < s->function[from - 1].size ? &s->function[from - 1] : NULL;
}

/* The names live in the file's string table: take those that are needed along. */
static void keep_functions(struct scan *s)
{
	struct checkpoint_scan *o = s->out;
	size_t n = 0;
	char *to;

	for (size_t i = 0; i < o->nsites; i++) {
		const struct function *f = function_at(s, o->site[i].at);

		o->site[i].function = f ? f->name : NULL;
		o->site[i].offset = f ? o->site[i].at - f->at : 0;
		n += f ? strlen(f->name) + 1 : 0;
	}
	for (size_t i = 0; i < o->ndelays; i++)
		n += strlen(o->delay[i].function) + 1;
	o->functions = to = malloc(n + 1);
	s->oom |= !to;
	for (size_t i = 0; i < o->nsites + o->ndelays && to; i++) {
		const char **name = i < o->nsites ? &o->site[i].function : &o->delay[i - o->nsites].function;

		if (!*name)
			continue;
		const char *kept = to;
		to = stpcpy(to, *name) + 1;
		*name = kept;
	}
}

static int scan_elf(struct scan *s, const char *what, void *image, size_t n, struct errtext *why)
{
	Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_memory(image, n);
	GElf_Ehdr eh;

	if (!elf || !gelf_getehdr(elf, &eh)) {
		elf_end(elf);
		return errtext_set(why, -EINVAL, "%s is a broken ELF file", what);
	}
	if (eh.e_machine != EM_X86_64 && eh.e_machine != EM_386) {
		elf_end(elf);
		return errtext_set(why, -EINVAL, "%s is for another processor (ELF machine %u): expected x86", what,
				   eh.e_machine);
	}
	s->out->elf = true;
	read_functions(s, elf);
	if (!scan_sections(s, elf, image, n))
		scan_segments(s, elf, image, n);
	keep_functions(s);
	elf_end(elf);
	return 0;
}

/* ---- images ---- */

static int site_cmp(const void *a, const void *b)
{
	const struct checkpoint_site *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* @at: where it is loaded, if it is code and nothing else; NULL: an ELF file, or firmware. */
static int scan_image(const char *what, void *image, size_t n, const uint64_t *at, struct checkpoint_scan **ret,
		      struct errtext *why)
{
	_cleanup_(checkpoint_scan_destroyp) struct checkpoint_scan *out = calloc(1, sizeof(*out));
	struct scan s = { .out = out, .oom = !out };
	int rc = 0;

	if (out && at)
		scan_code(&s, image, n, *at, *at);
	else if (out && n >= SELFMAG && memcmp(image, ELFMAG, SELFMAG) == 0)
		rc = scan_elf(&s, what, image, n, why);
	else if (n > TOP / 2)
		rc = errtext_set(why, -EINVAL, "%s has %zu bytes, too many for a firmware image: expected up to 2 GiB",
				 what, n);
	else if (out)
		scan_code(&s, image, n, TOP - n, TOP - n);
	free(s.function);
	if (rc == 0 && s.oom)
		rc = errtext_set(why, -ENOMEM, "no memory to look through %s", what);
	if (rc < 0)
		return rc;
	if (out->nsites)
		qsort(out->site, out->nsites, sizeof(out->site[0]), site_cmp);
	*ret = take_ptr(out);
	return 0;
}

int checkpoint_scan_image(const char *what, void *image, size_t n, struct checkpoint_scan **ret, struct errtext *why)
{
	return scan_image(what, image, n, NULL, ret, why);
}

static int scan_file(const char *path, const uint64_t *at, struct checkpoint_scan **ret, struct errtext *why)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *image;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errtext_set(why, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return errtext_set(why, -EINVAL, "%s is no image: expected a file that is not empty", path);
	image = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		return errtext_set(why, -errno, "cannot read %s: %s", path, strerror(errno));
	rc = scan_image(path, image, (size_t)st.st_size, at, ret, why);
	munmap(image, (size_t)st.st_size);
	return rc;
}

int checkpoint_scan_file(const char *path, struct checkpoint_scan **ret, struct errtext *why)
{
	return scan_file(path, NULL, ret, why);
}

int checkpoint_scan_flat(const char *path, uint64_t at, struct checkpoint_scan **ret, struct errtext *why)
{
	return scan_file(path, &at, ret, why);
}

/* ---- what is said about it ---- */

static void add_word(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		strbuf_addc(out, *s > ' ' && *s <= '~' && *s != '#' ? *s : '.');
}

/* Of gdbvm/checkpoint.h: its other bytes are computed. */
static bool begins_frame(const struct checkpoint_site *site)
{
	return site->value == FRAME_START;
}

static bool has_name(const struct checkpoint_site *site, const struct checkpoint_names *names)
{
	return site->function || begins_frame(site) ||
	       (names && checkpoint_names_find(names, CHECKPOINT_NAME_VALUE, site->value));
}

void checkpoint_site_name_add(struct strbuf *out, const struct checkpoint_site *site,
			      const struct checkpoint_names *names)
{
	const struct checkpoint_name *known =
		names ? checkpoint_names_find(names, CHECKPOINT_NAME_VALUE, site->value) : NULL;

	if (known) {
		add_word(out, known->name);
	} else if (site->function) {
		add_word(out, site->function);
		strbuf_addf(out, "+0x%" PRIx64, site->offset);
	} else if (begins_frame(site)) {
		strbuf_adds(out, "frame");
	} else {
		strbuf_addf(out, "0x%02" PRIx8, site->value);
	}
}

static void add_site_line(struct strbuf *out, const struct checkpoint_site *site, uint64_t at,
			  const struct checkpoint_names *names)
{
	strbuf_addf(out, "%ssite 0x%" PRIx64 " ", has_name(site, names) ? "" : "# ", at);
	checkpoint_site_name_add(out, site, names);
	strbuf_addf(out, " # 0x%02" PRIx8 "%s%s\n", site->value, begins_frame(site) ? ", begins a frame" : "",
		    at != site->at ? ", at its physical address" : "");
}

static void add_count(struct strbuf *out, const struct checkpoint_scan *s)
{
	size_t frames = 0;

	for (size_t i = 0; i < s->nsites; i++)
		frames += begins_frame(&s->site[i]);
	if (frames < s->nsites)
		strbuf_addf(out, "%zu checkpoint%s", s->nsites - frames, s->nsites - frames > 1 ? "s" : "");
	if (frames)
		strbuf_addf(out, "%s%zu frame%s", frames < s->nsites ? " and " : "", frames, frames > 1 ? "s" : "");
}

void checkpoint_scan_add(struct strbuf *out, const char *what, const struct checkpoint_scan *s,
			 const struct checkpoint_names *names)
{
	strbuf_adds(out, "# ");
	add_word(out, what);
	strbuf_adds(out, ": ");
	if (s->nsites)
		add_count(out, s);
	strbuf_adds(out, s->nsites ? " of port 0x80: instrumented\n"
				   : "no checkpoints of port 0x80: not instrumented, or compressed\n");
	for (size_t i = 0; i < s->nsites; i++) {
		add_site_line(out, &s->site[i], s->site[i].at, names);
		if (s->site[i].phys != s->site[i].at)
			add_site_line(out, &s->site[i], s->site[i].phys, names);
	}
	for (size_t i = 0; i < s->ndelays; i++) {
		strbuf_addf(out, "noise 0x%" PRIx64 "-0x%" PRIx64 " ", s->delay[i].first, s->delay[i].last);
		add_word(out, s->delay[i].function);
		strbuf_addc(out, '\n');
	}
}

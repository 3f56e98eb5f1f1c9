/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Untouched pages cost nothing, so a guest may have more memory than the host has free.
static void *pages_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

const struct mem_layout mem_layout_x86 = { .hole_start = MEM_HOLE_START, .hole_size = MEM_HOLE_END - MEM_HOLE_START };
const struct mem_layout mem_layout_arm64 = { .start = { MEM_ARM64_RAM }, .hole_start = UINT64_MAX };

int mem_init(struct mem *m, const struct mem_layout *at, uint64_t ram_size, struct errtext *why)
{
	return mem_init_pages(m, at, sysconf(_SC_PAGESIZE), ram_size, why);
}

int mem_init_pages(struct mem *m, const struct mem_layout *at, uint64_t page_size, uint64_t ram_size,
		   struct errtext *why)
{
	const uint64_t low = MIN(ram_size, at->hole_start - at->start.raw);
	const uint64_t high = ram_size - low;
	struct mem new = { .ram_size = ram_size, .page_size = page_size };

	if (ram_size == 0 || ram_size % page_size != 0)
		return errtext_set(why, -EINVAL,
				   "memory size %" PRIu64 " is not a positive multiple of %" PRIu64
				   " bytes, the host's page",
				   ram_size, page_size);

	new.slot[new.nslots++] = (struct kvm_slot){ .start = at->start, .size = low, .hva = pages_map(low) };
	if (high > 0)
		new.slot[new.nslots++] = (struct kvm_slot){ .start = GPA(at->hole_start + at->hole_size),
							    .size = high,
							    .hva = pages_map(high) };
	for (unsigned i = 0; i < new.nslots; i++) {
		if (!new.slot[i].hva) {
			mem_deinit(&new);
			return errtext_set(why, -ENOMEM, "cannot reserve %" PRIu64 " MiB for the guest's memory",
					   ram_size >> 20);
		}
	}
	*m = new;
	return 0;
}

void mem_deinit(struct mem *m)
{
	for (unsigned i = 0; i < m->nslots; i++)
		if (m->slot[i].hva)
			munmap(m->slot[i].hva, m->slot[i].size);
	m->nslots = 0;
}

uint64_t mem_end(const struct mem *m)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < m->nslots; i++)
		if (!m->slot[i].rom)
			end = MAX(end, m->slot[i].start.raw + m->slot[i].size);
	return end;
}

uint64_t mem_rom_start(const struct mem *m)
{
	uint64_t start = UINT64_MAX;

	for (unsigned i = 0; i < m->nslots; i++)
		if (m->slot[i].rom)
			start = MIN(start, m->slot[i].start.raw);
	return start;
}

static bool slots_overlap(const struct kvm_slot *a, const struct kvm_slot *b)
{
	return a->start.raw < b->start.raw + b->size && b->start.raw < a->start.raw + a->size;
}

struct kvm_slot mem_slot_part(const struct kvm_slot *s, uint64_t start, uint64_t end)
{
	struct kvm_slot part = *s;

	part.start = GPA(start);
	part.size = end > start ? end - start : 0;
	part.hva = (char *)s->hva + (start - s->start.raw);
	return part;
}

/* The slots of @m without what @rom hides, and @rom in its place at the end. Returns: count; -ENOSPC. */
static int slots_overlay(const struct mem *m, const struct kvm_slot *rom, struct kvm_slot out[MEM_MAX_SLOTS])
{
	struct kvm_slot all[2 * MEM_MAX_SLOTS + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < m->nslots; i++) {
		const struct kvm_slot *s = &m->slot[i];
		const uint64_t end = s->start.raw + s->size;

		if (!slots_overlap(s, rom)) {
			all[n++] = *s;
			continue;
		}
		all[n] = mem_slot_part(s, s->start.raw, rom->start.raw);
		n += all[n].size > 0;
		all[n] = mem_slot_part(s, MIN(end, rom->start.raw + rom->size), end);
		n += all[n].size > 0;
	}
	all[n++] = *rom;
	if (n > MEM_MAX_SLOTS)
		return -ENOSPC;
	memcpy(out, all, n * sizeof(*out));
	return n;
}

/* Give the host memory of the RAM that @rom hides back. */
static void hidden_unmap(const struct mem *m, const struct kvm_slot *rom)
{
	for (unsigned i = 0; i < m->nslots; i++) {
		const struct kvm_slot *s = &m->slot[i];

		if (slots_overlap(s, rom)) {
			const struct kvm_slot hidden =
				mem_slot_part(s, MAX(s->start.raw, rom->start.raw),
					      MIN(s->start.raw + s->size, rom->start.raw + rom->size));
			munmap(hidden.hva, hidden.size);
		}
	}
}

int mem_add_rom(struct mem *m, gpa at, const void *data, size_t size, struct errtext *why)
{
	struct kvm_slot rom = { .start = at, .size = (size + m->page_size - 1) & ~(m->page_size - 1), .rom = true };
	struct kvm_slot new[MEM_MAX_SLOTS];

	if (size == 0 || at.raw % m->page_size != 0 || at.raw + rom.size < at.raw)
		return errtext_set(why, -EINVAL,
				   "cannot place %zu bytes of ROM at %#" PRIx64
				   ": expected whole pages inside the address space",
				   size, at.raw);
	for (unsigned i = 0; i < m->nslots; i++)
		if (m->slot[i].rom && slots_overlap(&m->slot[i], &rom))
			return errtext_set(why, -EEXIST, "ROM at %#" PRIx64 " overlaps the ROM at %#" PRIx64, at.raw,
					   m->slot[i].start.raw);

	rom.hva = pages_map(rom.size);
	if (!rom.hva)
		return errtext_set(why, -ENOMEM, "cannot reserve %" PRIu64 " KiB for ROM", rom.size >> 10);
	const int n = slots_overlay(m, &rom, new);
	if (n < 0) {
		munmap(rom.hva, rom.size);
		return errtext_set(why, n, "ROM at %#" PRIx64 " would need more than %d memory slots", at.raw,
				   MEM_MAX_SLOTS);
	}
	memcpy(rom.hva, data, size);
	hidden_unmap(m, &rom);
	memcpy(m->slot, new, n * sizeof(*new));
	m->nslots = n;
	return 0;
}

static const struct kvm_slot *slot_find(const struct mem *m, gpa at)
{
	for (unsigned i = 0; i < m->nslots; i++)
		if (at.raw >= m->slot[i].start.raw && at.raw - m->slot[i].start.raw < m->slot[i].size)
			return &m->slot[i];
	return NULL;
}

void *mem_ptr(struct mem *m, gpa at, size_t len)
{
	const struct kvm_slot *s = slot_find(m, at);

	if (!s || s->rom || len > s->size - (at.raw - s->start.raw))
		return NULL;
	return (char *)s->hva + (at.raw - s->start.raw);
}

void *mem_slot_ptr(struct mem *m, gpa at, size_t *len)
{
	const struct kvm_slot *s = slot_find(m, at);

	if (!s)
		return NULL;
	*len = MIN(*len, s->size - (at.raw - s->start.raw));
	return (char *)s->hva + (at.raw - s->start.raw);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/macros.h"

#define CHUNK 65536u /* bytes looked at in one go by search and checksum */

/* ---- guest-physical, as it is ---- */

int mem_raw_read(struct engine *e, gpa at, void *buf, size_t len)
{
	size_t done;
	int rc = guard_read(&e->guard, at, buf, len, &done);

	return rc < 0 ? rc : done < len ? -EFAULT : 0;
}

int mem_raw_write(struct engine *e, gpa at, const void *buf, size_t len)
{
	size_t done;
	int rc = guard_write(&e->guard, at, buf, len, &done);

	return rc < 0 ? rc : done < len ? -EFAULT : 0;
}

int mem_table_read(void *engine, gpa at, void *buf, size_t len)
{
	return mem_raw_read(engine, at, buf, len);
}

/* ---- guest-physical, as the guest sees it ---- */

static int phys_write(struct engine *e, gpa at, const void *buf, size_t len, size_t *done)
{
	int rc = bps_write(e, at, buf, len, done);

	return rc < 0 ? rc : target_code_written(e->target, at, *done);
}

/* ---- virtual ---- */

/* Everything is where its address says, as far as anyone here knows. In halves: the size of all is no number. */
static int mem_walk_none(gva at, struct mmu_xlat *out)
{
	const uint64_t half = UINT64_C(1) << 63;

	*out = (struct mmu_xlat){ .start = GVA(at.raw & half),
				  .size = half,
				  .mapped = true,
				  .phys = GPA(at.raw & half),
				  .perm = MMU_R | MMU_W | MMU_X };
	return 0;
}

int mem_walk(struct engine *e, unsigned vcpu, gva at, struct mmu_xlat *out)
{
	const struct arch *arch = e->target->arch;
	struct arch_regs *r;
	int rc;

	if (e->target->mem_virtual)
		return mem_walk_none(at, out);
	rc = vcpu_regs(e, vcpu, arch->walk_groups, &r);

	if (rc < 0)
		return rc;
	if (~r->have & arch->walk_groups)
		return -ENODATA;
	return arch->walk(r, mem_table_read, e, at, out);
}

int engine_translate(struct engine *e, unsigned vcpu, gva at, struct mmu_xlat *out)
{
	return e->run.running ? -EBUSY : mem_walk(e, vcpu, at, out);
}

static int mem_translate(struct engine *e, unsigned vcpu, gva at, gpa *ret, uint64_t *left)
{
	struct mmu_xlat x;
	uint64_t off;
	int rc = mem_walk(e, vcpu, at, &x);

	if (rc < 0)
		return rc;
	if (!x.mapped)
		return -EFAULT;
	off = at.raw - x.start.raw;
	*ret = GPA(x.phys.raw + off);
	*left = x.size - off;
	return 0;
}

int mem_gva_to_gpa(struct engine *e, unsigned vcpu, gva at, gpa *ret)
{
	uint64_t left;

	return mem_translate(e, vcpu, at, ret, &left);
}

/* The physical piece that starts at @at: where, and how much of @len is in it. */
static int piece_at(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, gpa *where, size_t *len)
{
	uint64_t left = *len;
	int rc = 0;

	if (sp == ENGINE_PHYS)
		*where = GPA(at);
	else
		rc = mem_translate(e, vcpu, GVA(at), where, &left);
	*len = MIN(*len, left);
	return rc;
}

static int range_check(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, uint64_t len)
{
	if (e->target->gone)
		return -ENODEV;
	if (len && at + (len - 1) < at)
		return -EINVAL;
	if (vcpu < e->target->nvcpus)
		__atomic_store_n(&e->target->viewer, vcpu, __ATOMIC_RELAXED);
	if (sp == ENGINE_PHYS)
		return 0;
	if (vcpu >= e->target->nvcpus)
		return -EINVAL;
	return e->run.running ? -EBUSY : 0;
}

int engine_mem_read(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, void *buf, size_t len,
		    size_t *done)
{
	int rc = range_check(e, vcpu, sp, at, len);

	*done = 0;
	while (rc == 0 && *done < len) {
		size_t want = len - *done, n = 0;
		gpa where;

		rc = piece_at(e, vcpu, sp, at + *done, &where, &want);
		if (rc == 0)
			rc = bps_read(e, where, (uint8_t *)buf + *done, want, &n);
		*done += n;
		if (n < want)
			break;
	}
	return *done ? 0 : rc;
}

int engine_mem_write(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, const void *buf, size_t len,
		     size_t *done)
{
	int rc = range_check(e, vcpu, sp, at, len);

	*done = 0;
	while (rc == 0 && *done < len) {
		size_t want = len - *done, n = 0;
		gpa where;

		rc = piece_at(e, vcpu, sp, at + *done, &where, &want);
		if (rc == 0)
			rc = phys_write(e, where, (const uint8_t *)buf + *done, want, &n);
		*done += n;
		if (n < want)
			break;
	}
	return *done ? 0 : rc;
}

int engine_mem_search(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, uint64_t len, const void *pat,
		      size_t pat_len, uint64_t *found)
{
	_cleanup_(freep) uint8_t *buf = NULL;
	size_t kept = 0; // bytes of the former chunk in front: a match may begin in them
	int rc = range_check(e, vcpu, sp, at, len);

	if (rc < 0)
		return rc;
	if (!pat_len) {
		*found = at;
		return 1;
	}
	buf = malloc(CHUNK + pat_len);
	if (!buf)
		return -ENOMEM;
	while (len) {
		size_t want = MIN(len, CHUNK), n;
		uint8_t *hit;

		rc = engine_mem_read(e, vcpu, sp, at, buf + kept, want, &n);
		if (rc < 0 && rc != -EFAULT)
			return rc;
		hit = memmem(buf, kept + n, pat, pat_len);
		if (hit) {
			*found = at - kept + (uint64_t)(hit - buf);
			return 1;
		}
		if (n < want)
			return -EFAULT;
		at += n;
		len -= n;
		n += kept;
		kept = MIN(n, pat_len - 1);
		memmove(buf, buf + n - kept, kept);
	}
	return 0;
}

static void crc_table(uint32_t table[256])
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i << 24;

		for (unsigned bit = 0; bit < 8; bit++)
			c = c & 0x80000000 ? c << 1 ^ 0x04c11db7 : c << 1;
		table[i] = c;
	}
}

int engine_mem_crc(struct engine *e, unsigned vcpu, enum engine_space sp, uint64_t at, uint64_t len, uint32_t *crc)
{
	_cleanup_(freep) uint8_t *buf = NULL;
	uint32_t table[256], c = 0xffffffff;
	int rc = range_check(e, vcpu, sp, at, len);

	if (rc < 0)
		return rc;
	buf = malloc(CHUNK);
	if (!buf)
		return -ENOMEM;
	crc_table(table);
	while (len) {
		size_t want = MIN(len, CHUNK), n;

		rc = engine_mem_read(e, vcpu, sp, at, buf, want, &n);
		if (rc < 0 || n < want)
			return rc < 0 ? rc : -EFAULT;
		for (size_t i = 0; i < n; i++)
			c = c << 8 ^ table[(c >> 24 ^ buf[i]) & 0xff];
		at += n;
		len -= n;
	}
	*crc = c;
	return 0;
}

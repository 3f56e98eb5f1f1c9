/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watches on guest-physical memory. The VMM has made the pages read-only for KVM, so an instruction that writes there
 * makes KVM_RUN fail with EFAULT before it has done anything. It is then executed once more, as a single step with the
 * pages lifted and every other vCPU waiting, and what the ranges contain is compared with what they contained before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/internal.h"
#include "util/bytes.h"

/* Lengths that are compared in one go; none of a range is without a host address. */
static const uint8_t *host_at(struct kvm_cpus *c, const struct kvm_pwatch *w)
{
	size_t n = w->range.len;
	const uint8_t *p = c->port->ops->hva(c->port, w->range.at, &n);

	return n == w->range.len ? p : NULL;
}

static void free_all(struct kvm_cpus *c)
{
	for (unsigned i = 0; i < c->npwatches; i++)
		free(c->pwatch[i].seen);
	c->npwatches = 0;
}

void kvm_pwatch_deinit(struct kvm_cpus *c)
{
	free_all(c);
}

int kvm_cpus_pwatch_set(struct kvm_cpus *c, const struct target_pwatch *set, unsigned n)
{
	struct kvm_pwatch new[ARRAY_LEN(c->pwatch)];
	unsigned done = 0;
	int rc = n > ARRAY_LEN(new) ? -ENOSPC : n && !c->ops->lift ? -ENOTSUP : 0;

	for (; rc == 0 && done < n; done++) {
		new[done] = (struct kvm_pwatch){ .range = set[done], .seen = malloc(set[done].len) };
		if (!new[done].seen)
			rc = -ENOMEM;
		else if (!host_at(c, &new[done]))
			rc = -EFAULT;
	}
	pthread_mutex_lock(&c->lock);
	if (rc == 0 && c->running)
		rc = -EBUSY;
	if (rc == 0) {
		free_all(c);
		memcpy(c->pwatch, new, n * sizeof(new[0]));
		c->npwatches = n;
		done = 0;
	}
	pthread_mutex_unlock(&c->lock);
	while (done)
		free(new[--done].seen);
	return rc;
}

void kvm_pwatch_look_locked(struct kvm_cpus *c)
{
	for (unsigned i = 0; i < c->npwatches; i++)
		memcpy(c->pwatch[i].seen, host_at(c, &c->pwatch[i]), c->pwatch[i].range.len);
}

/* Where do @a and @b begin to differ? @n: nowhere. */
static uint64_t first_difference(const uint8_t *a, const uint8_t *b, uint64_t n)
{
	uint64_t i = 0;

	if (memcmp(a, b, n) == 0)
		return n;
	while (a[i] == b[i])
		i++;
	return i;
}

static uint64_t load(const uint8_t *p, unsigned n)
{
	uint8_t word[8] = { 0 };

	memcpy(word, p, n);
	return ld_le64(word);
}

/* The aligned word, or what the range has of it, that holds offset @off. */
static struct target_pwatch_hit describe(const struct kvm_pwatch *w, const uint8_t *now, uint64_t off)
{
	const uint64_t start = w->range.at.raw, at = start + off;
	const uint64_t from = MAX(at & ~7ull, start), to = MIN((at | 7) + 1, start + w->range.len);
	const unsigned size = (unsigned)(to - from);

	return (struct target_pwatch_hit){
		.at = GPA(from),
		.size = size,
		.old = load(w->seen + (from - start), size),
		.new = load(now + (from - start), size),
	};
}

/*
 * What another vCPU is writing just now is not this one's doing, and an int3 that is planted for its step is nobody's.
 * That step may take as long as it wants, so it is not waited for under the lock, which ends it.
 */
static void lock_memory(struct kvm_cpu *cpu)
{
	struct kvm_cpus *c = cpu->all;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		kvm_cpu_hold_locked(cpu);
		if (pthread_mutex_trylock(&c->landings) == 0)
			return;
		pthread_mutex_unlock(&c->lock);
		pthread_mutex_lock(&c->landings);
		pthread_mutex_unlock(&c->landings);
	}
}

static void unlock_memory(struct kvm_cpu *cpu)
{
	pthread_mutex_unlock(&cpu->all->landings);
	pthread_mutex_unlock(&cpu->all->lock);
}

bool kvm_pwatch_check(struct kvm_cpu *cpu, struct target_pwatch_hit *hit)
{
	struct kvm_cpus *c = cpu->all;
	bool found = false;

	lock_memory(cpu);
	for (unsigned i = 0; i < c->npwatches; i++) {
		struct kvm_pwatch *w = &c->pwatch[i];
		const uint8_t *now = host_at(c, w);
		uint64_t off = first_difference(w->seen, now, w->range.len);

		if (off == w->range.len)
			continue;
		if (!found)
			*hit = describe(w, now, off);
		found = true;
		memcpy(w->seen + off, now + off, w->range.len - off);
	}
	unlock_memory(cpu);
	return found;
}

enum kvm_next kvm_pwatch_event(struct kvm_cpu *cpu, enum kvm_next next, const struct target_pwatch_hit *hit,
			       struct stop_event *ev)
{
	if (next != KVM_NEXT_EVENT)
		*ev = (struct stop_event){ .why = STOP_PWATCH, .pc = kvm_cpu_pc(cpu) };
	ev->pwatch = *hit;
	return KVM_NEXT_EVENT;
}

bool kvm_pwatch_write(struct kvm_cpu *cpu, gpa at, const void *data, size_t n)
{
	struct kvm_port *p = cpu->all->port;
	size_t len = n;
	void *to = cpu->all->npwatches ? p->ops->hva(p, at, &len) : NULL;

	if (!to || len < n)
		return false;
	memcpy(to, data, n);
	return true;
}

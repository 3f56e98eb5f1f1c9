/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checkpoints that stop the guest: asked on the threads of the vCPUs, told in the words of the moment. */
#include "engine/internal.h"

#include <stdio.h>
#include <string.h>

#define LOG_ROOM LOG_ENGINE
#include "util/log.h"
#include "util/macros.h"

void engine_checkpoints_use(struct engine *e, const struct engine_checkpoints *c)
{
	e->seen = *c;
}

bool engine_checkpoint(struct engine *e, const struct checkpoint_record *rec)
{
	struct checkpoint_hit *hit;
	char text[sizeof(hit->text)];
	unsigned stop;

	if (!e->stops)
		return false;
	stop = checkpoint_stops_hear(e->stops, rec, text, sizeof(text));
	if (!stop || rec->mode != CHECKPOINT_EXACT || rec->vcpu < 0 || (unsigned)rec->vcpu >= e->target->nvcpus)
		return false;
	hit = &e->vcpu[rec->vcpu].checkpoint;
	if (hit->stop && hit->pc == rec->pc) {
		hit->more++;
		return true;
	}
	*hit = (struct checkpoint_hit){ .stop = stop, .pc = rec->pc };
	memcpy(hit->text, text, sizeof(text));
	return true;
}

static bool is_asked_for(const struct engine *e, unsigned number)
{
	const struct checkpoint_stop *list;
	unsigned n = 0;

	if (!e->stops)
		return false;
	list = checkpoint_stops_list(e->stops, &n);
	for (unsigned i = 0; i < n; i++)
		if (list[i].number == number)
			return true;
	return false;
}

bool checkpoint_digest(struct engine *e, struct stop_event *ev)
{
	struct checkpoint_hit *slot = &e->vcpu[ev->vcpu].checkpoint;
	const struct checkpoint_hit hit = *slot;

	slot->stop = slot->more = 0;
	if (!is_asked_for(e, hit.stop))
		return false;
	snprintf(ev->text, sizeof(ev->text), "%s", hit.text);
	if (hit.more)
		snprintf(ev->text, sizeof(ev->text), "%s, and %u more at once", hit.text, hit.more);
	return true;
}

void checkpoints_clear(struct engine *e)
{
	for (unsigned v = 0; v < e->target->nvcpus; v++)
		e->vcpu[v].checkpoint.stop = e->vcpu[v].checkpoint.more = 0;
	if (!e->stops)
		return;
	checkpoint_stops_destroy(take_ptr(e->stops));
	target_checkpoint_catch(e->target, false); // one that still comes is dropped by the digest
}

void checkpoints_adopt(struct engine *to, struct engine *from)
{
	if (!from->stops)
		return;
	target_checkpoint_catch(from->target, false);
	to->stops = take_ptr(from->stops);
	if (target_checkpoint_catch(to->target, true) < 0)
		text_addf(to, "gdbvm: the new guest does not stop at checkpoints\n");
}

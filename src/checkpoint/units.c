/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checkpoint/units.h"

#include <errno.h>
#include <stdlib.h>

#include "checkpoint/frame.h"
#include "checkpoint/internal.h"

enum { STREAMS_MAX = 256, PENDING_STEP = 64 };

/* The bytes of what is not yet complete, from one vCPU at one port: of a frame, or of a sequence, which may come while
 * a frame is open. */
struct stream {
	int16_t vcpu;
	uint64_t port;
	bool framed;
	struct checkpoint_record *pending;
	size_t n, cap;
};

struct checkpoint_units {
	struct stream stream[STREAMS_MAX];
	unsigned nstreams;
};

int checkpoint_units_create(struct checkpoint_units **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void checkpoint_units_destroy(struct checkpoint_units *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < u->nstreams; i++)
		free(u->stream[i].pending);
	free(u);
}

static struct stream *stream_of(struct checkpoint_units *u, const struct checkpoint_record *rec, bool framed)
{
	for (unsigned i = 0; i < u->nstreams; i++)
		if (u->stream[i].vcpu == rec->vcpu && u->stream[i].port == rec->port && u->stream[i].framed == framed)
			return &u->stream[i];
	if (u->nstreams == STREAMS_MAX)
		return NULL;
	u->stream[u->nstreams] = (struct stream){ .vcpu = rec->vcpu, .port = rec->port, .framed = framed };
	return &u->stream[u->nstreams++];
}

static bool hold_back(struct stream *s, const struct checkpoint_record *rec)
{
	if (s->n == s->cap) {
		struct checkpoint_record *grown = reallocarray(s->pending, s->cap + PENDING_STEP, sizeof(*grown));

		if (!grown)
			return false;
		s->pending = grown;
		s->cap += PENDING_STEP;
	}
	s->pending[s->n++] = *rec;
	return true;
}

/* What is no frame: all but the byte that seemed to begin it, which says nothing without what follows. */
static void release(struct stream *s, checkpoint_unit_fn *take, void *arg)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->pending[i].value != FRAME_START)
			take(arg, &s->pending[i], &(struct checkpoint_label){ 0 });
	s->n = 0;
}

void checkpoint_units_feed(struct checkpoint_units *u, const struct checkpoint_record *rec,
			   const struct checkpoint_label *label, checkpoint_unit_fn *take, void *arg)
{
	struct stream *s = label->part ? stream_of(u, rec, checkpoint_is_framed(label)) : NULL;
	struct checkpoint_record whole = *rec;

	if (!s) {
		take(arg, rec, label);
		return;
	}
	if (label->nfields) {
		whole.value = s->n ? s->pending[0].value : rec->value;
		s->n = 0;
		take(arg, &whole, label);
		return;
	}
	const bool begins = s->framed && rec->value == FRAME_START; // whatever was open is none
	if (begins)
		release(s, take, arg);
	if (!hold_back(s, rec))
		take(arg, rec, label);
	if (label->broken && !begins)
		release(s, take, arg);
}

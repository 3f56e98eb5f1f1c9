/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Monitor commands about what the guest writes to its debug ports. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "checkpoint/log.h"
#include "checkpoint/recent.h"
#include "engine/internal.h"
#include "util/cursor.h"
#include "util/macros.h"

enum { ROWS = 20 };

/* False, with a sentence: nobody records them. */
static bool are_seen(const struct engine *e, struct strbuf *out)
{
	if (!e->seen.log)
		strbuf_adds(out,
			    e->target->ops->checkpoint_catch
				    ? "checkpoints are not recorded: gdbvm run does that with --gdb or --checkpoints\n"
				    : "this guest's checkpoints are not recorded: that takes gdbvm run on KVM, or "
				      "--checkpoints\n");
	return e->seen.log;
}

void monitor_checkpoints(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const struct engine *e = ctx->engine;
	uint64_t n = ROWS;

	if (*args && (!monitor_number(&args, "how many", out, &n) || !monitor_end(args, out)))
		return;
	if (!are_seen(e, out))
		return;
	checkpoint_log_flush(e->seen.log);
	if (!checkpoint_recent_table_add(e->seen.recent, n, out))
		strbuf_adds(out, "the guest has written nothing to its debug ports yet\n");
}

/* ---- which stop the guest ---- */

static void add_stop(const struct engine *e, const struct checkpoint_stop *stop, struct strbuf *out)
{
	strbuf_addf(out, "%3u  ", stop->number);
	checkpoint_stop_describe(e->stops, stop, out);
	strbuf_addf(out, ": %" PRIu64 " time%s\n", stop->hits, stop->hits == 1 ? "" : "s");
}

static void add_list(const struct engine *e, struct strbuf *out)
{
	const struct checkpoint_stop *list = NULL;
	unsigned n = 0;

	if (e->stops)
		list = checkpoint_stops_list(e->stops, &n);
	if (!n)
		strbuf_adds(out, "the guest stops at no checkpoint\n");
	for (unsigned i = 0; i < n; i++)
		add_stop(e, &list[i], out);
}

void monitor_checkpoint(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	if (*args && strcmp(args, "list") != 0)
		strbuf_addf(out, "'%s': expected break, delete, list or sites\n", args);
	else
		add_list(ctx->engine, out);
}

/* Begin to stop at some: what was written before may be the beginning of a sequence. */
static int begin(struct engine *e)
{
	struct checkpoint_stops *stops;
	int rc = checkpoint_stops_create(e->seen.names, &stops);

	if (rc < 0)
		return rc;
	rc = target_checkpoint_catch(e->target, true);
	if (rc < 0) {
		checkpoint_stops_destroy(stops);
		return rc;
	}
	checkpoint_log_flush(e->seen.log);
	checkpoint_recent_each(e->seen.recent, checkpoint_stops_heard, stops);
	e->stops = stops;
	return 0;
}

static void add_refusal(const struct engine *e, const char *args, const char *word, struct strbuf *out)
{
	const char *similar = e->seen.names && *word ? checkpoint_names_similar(e->seen.names, word) : NULL;

	strbuf_addf(out,
		    "'%s': expected a value such as 0x16, a name that a map gives (--checkpoint-map%s), or record and "
		    "an id",
		    args, e->seen.names ? "" : ": none was given");
	if (similar)
		strbuf_addf(out, "; did you mean %s?", similar);
	strbuf_addc(out, '\n');
}

/* VALUE, NAME, record ID or record NAME. False with a sentence. */
static bool parse(const struct engine *e, const char *args, struct strbuf *out, struct checkpoint_stop *stop)
{
	const bool record = strncmp(args, "record", 6) == 0 && strchr(" \t", args[6]) && args[6];
	const char *word = record ? args + 6 + strspn(args + 6, " \t") : args;
	struct cur c = cur_init(word, strlen(word));

	*stop = (struct checkpoint_stop){ .kind = record ? CHECKPOINT_STOP_RECORD : CHECKPOINT_STOP_VALUE,
					  .value = cur_number(&c) };
	if (*word && cur_done(&c)) {
		const bool may_be = !record || (stop->value >= 1 && stop->value <= UINT16_MAX);

		if (!may_be)
			strbuf_addf(out, "'%s': expected an id from 1 to 0xffff\n", args);
		return may_be;
	}
	*stop = (struct checkpoint_stop){ .kind = CHECKPOINT_STOP_NAME };
	if (*word && checkpoint_can_be_called(e->seen.names, word) && strlen(word) < sizeof(stop->name)) {
		memcpy(stop->name, word, strlen(word) + 1);
		return true;
	}
	add_refusal(e, args, word, out);
	return false;
}

void monitor_checkpoint_break(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	struct engine *e = ctx->engine;
	struct checkpoint_stop stop;
	int rc = 0;

	if (!e->target->ops->checkpoint_catch) {
		strbuf_adds(out, "this guest cannot stop at a checkpoint: that takes gdbvm run on KVM (--accel kvm)\n");
		return;
	}
	if (!are_seen(e, out) || !parse(e, args, out, &stop))
		return;
	if (e->run.running)
		rc = -EBUSY;
	else if (!e->stops)
		rc = begin(e);
	if (rc == 0)
		rc = checkpoint_stops_add(e->stops, &stop);
	if (rc == -ENOSPC)
		strbuf_addf(out, "the guest stops at %d checkpoints: no more are possible\n", CHECKPOINT_STOPS_MAX);
	else if (rc == -EBUSY)
		strbuf_adds(out, "the guest is running: stop it first\n");
	else if (rc < 0)
		strbuf_addf(out, "the guest cannot stop there: %s\n", strerror(-rc));
	else
		add_stop(e, &stop, out);
}

void monitor_checkpoint_delete(struct monitor_ctx *ctx, const char *args, struct strbuf *out)
{
	const bool all = strcmp(args, "all") == 0;
	struct engine *e = ctx->engine;
	uint64_t number = 0;
	unsigned left = 0;

	if (!all && (!monitor_number(&args, "the number of one (checkpoint list), or all", out, &number) ||
		     !monitor_end(args, out)))
		return;
	if (e->run.running) {
		strbuf_adds(out, "the guest is running: stop it first\n");
		return;
	}
	if (!all && (!e->stops || number > UINT_MAX || checkpoint_stops_remove(e->stops, (unsigned)number) < 0)) {
		strbuf_addf(out, "there is no number %" PRIu64 "\n", number);
		return;
	}
	if (e->stops)
		checkpoint_stops_list(e->stops, &left);
	if (all || !left)
		checkpoints_clear(e);
	add_list(e, out);
}

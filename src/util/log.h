/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "util/errtext.h"
#include "util/macros.h"

/*
 * One channel for each room that has something to tell. A source file says `#define LOG_ROOM LOG_ENGINE` before this
 * include. GDBVM_LOG=rsp=trace,vmm=info in the environment sets levels; the default is `warn`. Lines go to stderr, one
 * write each: a warning is a sentence for the user, details are key=value. The level table is written once, by
 * log_setup(), before any thread starts.
 */
enum log_room { LOG_RSP, LOG_ENGINE, LOG_KVM, LOG_VMM, LOG_BACKEND, LOG_SERVER, LOG_NROOMS };
enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DBG, LOG_TRACE };

/**
 * log_setup() - set levels from text such as "rsp=trace,vmm=info" or "all=debug".
 * @spec: NULL or "" changes nothing. Thread: before any other thread exists.
 * Returns: 0; -EINVAL with @why naming the unknown room or level.
 */
int log_setup(const char *spec, struct errtext *why);

/** log_on() - is this level of this room printed? */
bool log_on(enum log_room room, enum log_level level);

/** log_print() - one line "room: level: text"; use the macros below. Any thread. */
void log_print(enum log_room room, enum log_level level, const char *fmt, ...) _printf_(3, 4);

/**
 * log_wire() - one packet as it crossed the wire, at level trace of room rsp: `-> $m1000,4#8e`.
 * @dir: '>' from the client, '<' to the client. Unprintable bytes are shown as \xNN; the same text is what
 * tests/replay reads back.
 */
void log_wire(char dir, const void *p, size_t n);

#define log_at(level, ...)                                       \
	do {                                                     \
		if (log_on(LOG_ROOM, level))                     \
			log_print(LOG_ROOM, level, __VA_ARGS__); \
	} while (0)
#define log_err(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_dbg(...) log_at(LOG_DBG, __VA_ARGS__)

#endif

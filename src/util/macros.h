/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef UTIL_MACROS_H
#define UTIL_MACROS_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define BIT(n) (1u << (n))
#define BIT64(n) (1ull << (n))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Scope cleanup: the function named is called with the address of the variable. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))

/* Returns the pointer and disarms its cleanup: `*ret = take_ptr(m);` */
#define take_ptr(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/** freep() - cleanup for malloc()ed memory: `_cleanup_(freep) char *s = ...`. NULL is fine. */
static inline void freep(void *pp)
{
	free(*(void **)pp);
}

/** closep() - cleanup for a file descriptor; negative means none. */
static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#endif

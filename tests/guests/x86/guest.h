/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_GUEST_H
#define TESTS_GUESTS_GUEST_H

/*
 * What the test guests tell on the debug port: a marker for each part they reach, and DONE at the end. After DONE they
 * halt for ever.
 */
#define PORT_DEBUG 0x80
#define PORT_COM1 0x3f8
#define PORT_PANIC 0x505
#define PORT_PM_CONTROL 0x604
#define PM_OFF 0x3400
#define PORT_RESET 0xcf9
#define RESET_NOW 0x06

#define MARK_REAL 0x16
#define MARK_PROTECTED 0x32
#define MARK_PAGING 0x33
#define MARK_PAE 0x36
#define MARK_LONG 0x64
#define MARK_DONE 0xd0

#endif

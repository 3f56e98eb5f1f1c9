/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_X86_TALK_H
#define TESTS_GUESTS_X86_TALK_H

#define TALKERS 3
#define TALK_NUMBERS 3
#define TALK_TRAP 0x21 /* a plain code from the trap handler; must be below 0x80 */

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_ARM64_GUEST_H
#define TESTS_GUESTS_ARM64_GUEST_H

/* What the test guests need of the machine; they start at EL1 with the MMU off. */
#define RAM 0x40000000
#define UART 0x09000000

#define PSCI_CPU_ON 0xc4000003
#define PSCI_SYSTEM_OFF 0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

#define ESR_EC_SHIFT 26
#define EC_BRK 0x3c

#define SCTLR_M 0x1
#define SCTLR_C 0x4
#define SCTLR_I 0x1000
#define SCTLR_RES1 0x30d00800

/* The memory types that our tables name by index, and entries of those tables. */
#define MAIR_VALUE 0xff00 /* 0: device, 1: normal, cached */
#define ENTRY_TABLE 0x3
#define ENTRY_BLOCK_DEVICE 0x401 /* accessed */
#define ENTRY_BLOCK_NORMAL 0x705 /* accessed, inner shareable, index 1 */
#define ENTRY_PAGE_NORMAL 0x707

/* TCR_EL1 for both halves with tables of 4K: cached walks, 39 bits of virtual and 40 of physical addresses. */
#define TCR_39_BITS 0x2b5193519

#endif

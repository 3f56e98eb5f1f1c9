/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_GUESTS_ARM64_EL2_H
#define TESTS_GUESTS_ARM64_EL2_H

/* Intermediate physical addresses of the hypervisor's guest: el2.ld has its code there, too. */
#define GUEST_CODE 0x80000000
#define GUEST_DATA 0x80010000
#define GUEST_DEVICE 0x80020000 /* not mapped: the hypervisor is the device */

/* Offsets in struct vcpu. */
#define VCPU_X 0
#define VCPU_PC 248
#define VCPU_PSTATE 256

#define PSCI_VERSION 0x84000000
#define GUEST_INTERRUPTS 3 /* after so many the guest switches itself off */

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

/*
 * Does the processor offer virtualisation? Without it a /dev/kvm is some software emulation of one, which only x86 has.
 */
static bool cpu_has_virtualisation(void)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[4096];
	bool found = vm_arch() != &arch_x86;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, "flags", 5) == 0 && (strstr(line, " vmx") || strstr(line, " svm"));
	if (f)
		fclose(f);
	return found;
}

/* 0, or the negative errno of opening /dev/kvm. */
static int kvm_usable(void)
{
	_cleanup_(closep) int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static int kvm_or_fail(struct errtext *why)
{
	int rc = kvm_usable();

	if (rc == 0)
		return CMD_ACCEL_KVM;
	return errtext_set(why, -CMD_ENVIRONMENT, "--accel kvm: cannot open /dev/kvm: %s%s", strerror(-rc),
			   rc == -EACCES ? " (is this user in the group kvm?)"
					 : " (is KVM in the kernel, and its module loaded?)");
}

static int choose_auto(const struct arch *arch, struct errtext *why)
{
	int rc = kvm_usable();

	if (arch != vm_arch())
		return errtext_set(why, CMD_ACCEL_TCG, "accelerator tcg: the guest is %s, this machine is not",
				   arch->name);

	if (rc < 0)
		return errtext_set(why, CMD_ACCEL_TCG, "accelerator tcg: /dev/kvm cannot be opened: %s", strerror(-rc));
	if (!cpu_has_virtualisation())
		return errtext_set(why, CMD_ACCEL_TCG,
				   "accelerator tcg: /dev/kvm is not hardware KVM (no vmx or svm in /proc/cpuinfo)");
	return errtext_set(why, CMD_ACCEL_KVM, "accelerator kvm: /dev/kvm is hardware KVM");
}

int accel_choose(enum cmd_accel asked, const struct arch *arch, struct errtext *why)
{
	if (asked == CMD_ACCEL_AUTO)
		return choose_auto(arch, why);
	why->text[0] = '\0';
	return asked == CMD_ACCEL_KVM ? kvm_or_fail(why) : CMD_ACCEL_TCG;
}

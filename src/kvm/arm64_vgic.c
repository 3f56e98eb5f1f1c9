/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "kvm/arm64_internal.h"

int kvm_cpus_info(struct kvm_cpus *c, enum target_info what, unsigned vcpu, struct strbuf *out)
{
	return -ENOTSUP;
}

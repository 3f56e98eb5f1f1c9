/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm/board.h"

#include <string.h>

int board_add_devices(struct board *b, const struct board_device *list, unsigned n, struct errtext *why)
{
	for (unsigned i = 0; i < n; i++) {
		struct errtext own = { "" };
		const int rc = list[i].add(b, &own);

		if (rc < 0 && own.text[0])
			return errtext_set(why, rc, "%s", own.text);
		if (rc < 0)
			return errtext_set(why, rc, "cannot build the device \"%s\": %s", list[i].name, strerror(-rc));
	}
	return 0;
}

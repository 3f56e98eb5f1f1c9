/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "vmm/vm.h"

#define MIB (1ull << 20)

static void console_out(void *arg, const void *p, size_t n)
{
}

/* A configuration that only lacks its kernel file. */
static struct vm_cfg cfg_base(void)
{
	return (struct vm_cfg){ .cpus = 1,
				.mem_size = 64 * MIB,
				.kernel = "/nonexistent/bzImage",
				.params = "",
				.console_out = console_out };
}

static void check_refused(const struct vm_cfg *cfg, int err, const char *text)
{
	struct vm *m = NULL;
	struct errtext why = { "" };

	CHECK_EQ(vm_open(cfg, &m, &why), err);
	CHECK(m == NULL);
	if (!strstr(why.text, text))
		fail_msg("\"%s\" does not say \"%s\"", why.text, text);
}

TEST(vm_open_names_a_bad_cpu_count_and_the_range)
{
	struct vm_cfg cfg = cfg_base();

	cfg.cpus = 0;
	check_refused(&cfg, -EINVAL, "0 vCPUs: expected 1 to 16");
	cfg.cpus = 17;
	check_refused(&cfg, -EINVAL, "17 vCPUs: expected 1 to 16");
}

TEST(vm_open_names_a_bad_memory_size)
{
	struct vm_cfg cfg = cfg_base();

	cfg.mem_size = 0;
	check_refused(&cfg, -EINVAL, "0 bytes of memory: expected whole MiB");
	cfg.mem_size = MIB - 4096;
	check_refused(&cfg, -EINVAL, "1044480 bytes of memory");
	cfg.mem_size = MIB + 4096;
	check_refused(&cfg, -EINVAL, "1052672 bytes of memory");
}

TEST(vm_open_names_missing_files)
{
	struct vm_cfg cfg = cfg_base();

	if (access("/dev/kvm", R_OK | W_OK) != 0)
		SKIP("no /dev/kvm");
	check_refused(&cfg, -ENOENT, "/nonexistent/bzImage");
	cfg.disk = "/nonexistent/disk.img";
	check_refused(&cfg, -ENOENT, "/nonexistent/disk.img");
}

TEST(vm_close_takes_null)
{
	vm_close(NULL);
}

TESTS(T(vm_open_names_a_bad_cpu_count_and_the_range), T(vm_open_names_a_bad_memory_size),
      T(vm_open_names_missing_files), T(vm_close_takes_null))

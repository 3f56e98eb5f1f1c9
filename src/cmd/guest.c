/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/backend.h"
#include "checkpoint/scan.h"
#include "vmm/boot.h"

struct guest {
	struct guest_cfg cfg;
	struct vm_cfg vm_cfg; /* *cfg.vm with our hooks */
	struct vm *vm;        /* accelerator kvm; owned by the target */
	struct target *target;
	struct engine *engine;
	int serial_fd; /* accelerator tcg: the guest's serial port; -1 */
};

static void guest_destroyp(struct guest **g)
{
	guest_destroy(*g);
}

/* ---- the serial port of QEMU; our own VMM calls the console ---- */

static void on_serial(void *arg, int fd, short revents)
{
	struct guest *g = arg;
	char buf[4096];
	ssize_t n;

	if (revents & POLLOUT) {
		loop_watch(g->cfg.loop, fd, POLLIN, on_serial, g);
		console_room(g->cfg.console);
		return;
	}
	n = read(fd, buf, sizeof(buf));
	if (n > 0)
		console_write(g->cfg.console, buf, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		loop_unwatch(g->cfg.loop, fd);
}

size_t guest_console_in(struct guest *g, const void *p, size_t n)
{
	ssize_t done;

	if (g->vm)
		return vm_console_in(g->vm, p, n);
	done = send(g->serial_fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done >= 0)
		return (size_t)done;
	if (errno != EAGAIN && errno != EINTR)
		return n; // QEMU is ending; its exit is reported by the target
	loop_watch(g->cfg.loop, g->serial_fd, POLLIN | POLLOUT, on_serial, g);
	return 0;
}

void guest_console_drain(struct guest *g)
{
	char buf[4096];
	ssize_t n;

	while (g->serial_fd >= 0 && (n = recv(g->serial_fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		console_write(g->cfg.console, buf, (size_t)n);
}

/* ---- checkpoints ---- */

static enum kvm_fate on_tcg_checkpoint(void *arg, const struct checkpoint_record *rec)
{
	const struct guest *g = arg;

	checkpoint_log_add(g->cfg.checkpoints, rec);
	return KVM_FATE_RUN;
}

static enum kvm_fate on_kvm_checkpoint(void *arg, const struct checkpoint_record *rec)
{
	const struct guest *g = arg;
	struct checkpoint_record numbered = *rec;

	numbered.seq = checkpoint_log_add(g->cfg.checkpoints, rec);
	return engine_checkpoint(g->engine, &numbered) ? KVM_FATE_CHECKPOINT : KVM_FATE_RUN;
}

/* For `monitor checkpoint sites`. */
static int scan_image(void *arg, struct checkpoint_scan **ret, struct errtext *why)
{
	const struct vm_cfg *vm = &((const struct guest *)arg)->vm_cfg;
	struct checkpoint_scan *found = NULL;
	int rc;

	if (vm->arch != &arch_x86)
		return errtext_set(why, -ENOTSUP, "sites can be found in code of x86 only");
	if (vm->flat)
		return checkpoint_scan_flat(vm->flat, vm->flat_addr, ret, why);
	rc = checkpoint_scan_file(vm->kernel ?: vm->firmware, &found, why);
	if (rc == 0 && vm->kernel && !found->elf) {
		checkpoint_scan_destroy(found);
		return errtext_set(
			why, -ENOEXEC,
			"%s is compressed: gdbvm checkpoints scan finds the sites of the vmlinux that it was made of",
			vm->kernel);
	}
	if (rc == 0)
		*ret = found;
	return rc;
}

static void use_checkpoints(struct guest *g)
{
	struct engine_checkpoints use = { .names = g->cfg.names, .scan = scan_image, .scan_arg = g };

	if (g->vm_cfg.checkpoint) {
		use.log = g->cfg.checkpoints;
		use.recent = g->cfg.recent;
	}
	engine_checkpoints_use(g->engine, &use);
}

/* ---- begin and end ---- */

static int open_kvm(struct guest *g, struct errtext *why)
{
	int rc;

	g->vm_cfg.console_out = console_write;
	g->vm_cfg.console_room = console_room;
	g->vm_cfg.console_arg = g->cfg.console;
	if (g->cfg.checkpoints) {
		g->vm_cfg.checkpoint = on_kvm_checkpoint;
		g->vm_cfg.checkpoint_arg = g;
		g->vm_cfg.checkpoint_often = g->cfg.asked;
	}
	rc = vm_open(&g->vm_cfg, &g->vm, why);
	if (rc < 0)
		return rc;
	rc = backend_kvm_create(g->vm, &g->target, why);
	if (rc < 0)
		vm_close(g->vm);
	return rc;
}

static int tcg_check(const struct vm_cfg *vm, struct errtext *why)
{
	if (vm->debug_mmio)
		return errtext_set(why, -ENODEV, "--debug-mmio: expected only with --accel kvm");
	if (vm->coalesced)
		return errtext_set(why, -ENODEV, "--checkpoint-mode coalesced: expected only with --accel kvm");
	if (vm->microvm)
		return errtext_set(why, -ENODEV, "--machine microvm: expected only with --accel kvm");
	if (vm->nvram)
		return errtext_set(why, -ENODEV, "--nvram %s: expected only with --accel kvm", vm->nvram);
	return 0;
}

static int open_tcg(struct guest *g, struct errtext *why)
{
	int rc = tcg_check(&g->vm_cfg, why);

	if (rc < 0)
		return rc;
	if (g->cfg.checkpoints && g->cfg.asked) {
		g->vm_cfg.checkpoint = on_tcg_checkpoint;
		g->vm_cfg.checkpoint_arg = g;
	}
	rc = backend_qemu_create(&g->vm_cfg, &g->target, &g->serial_fd, why);
	if (rc == 0 && (rc = loop_watch(g->cfg.loop, g->serial_fd, POLLIN, on_serial, g)) < 0)
		errtext_set(why, rc, "no memory for the guest's serial port");
	return rc;
}

static int open_engine(struct guest *g, struct errtext *why)
{
	int rc;

	if (g->target->arch == &arch_x86 && boot_x86_is_64bit(&g->vm_cfg))
		g->target->layout = &arch_layout_x86_64;
	rc = engine_create(g->target, &g->engine);
	if (rc == 0)
		rc = loop_watch(g->cfg.loop, engine_event_fd(g->engine), POLLIN, g->cfg.event, g->cfg.arg);
	if (rc < 0)
		return errtext_set(why, rc, "cannot start the debug engine: %s", strerror(-rc));
	use_checkpoints(g);
	return 0;
}

int guest_create(const struct guest_cfg *cfg, struct guest **ret, struct errtext *why)
{
	_cleanup_(guest_destroyp) struct guest *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return errtext_set(why, -ENOMEM, "no memory for the guest");
	*g = (struct guest){ .cfg = *cfg, .vm_cfg = *cfg->vm, .serial_fd = -1 };
	rc = cfg->accel == CMD_ACCEL_KVM ? open_kvm(g, why) : open_tcg(g, why);
	if (rc == 0)
		rc = open_engine(g, why);
	if (rc == 0)
		*ret = take_ptr(g);
	return rc;
}

void guest_destroy(struct guest *g)
{
	if (!g)
		return;
	if (g->engine)
		loop_unwatch(g->cfg.loop, engine_event_fd(g->engine));
	if (g->serial_fd >= 0)
		loop_unwatch(g->cfg.loop, g->serial_fd);
	engine_destroy(g->engine);
	target_destroy(g->target);
	closep(&g->serial_fd);
	free(g);
}

struct engine *guest_engine(const struct guest *g)
{
	return g->engine;
}

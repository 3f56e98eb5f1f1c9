# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots without a debugger: to user space with 1, 2 and 4 vCPUs, from both initrds, and the ways in which a guest ends."""
import os
import re
import time

from guests import UP, flat, linux
from session import Guest, Terminal, accelerated, check, check_eq
from suite import test


def boot(context, what):
    return Guest(context, what["args"](context), gdb=False)


def boots_with(context, cpus):
    with boot(context, linux(do="poweroff", cpus=cpus)) as guest:
        guest.console.wait_for(UP, context.scale(60))
        guest.console.wait_for(rf"cpus {cpus}\b", context.scale(10))
        check_eq(guest.wait_exit(), 0, "exit status after power-off")


@test()
def one_vcpu_boots_and_powers_off(context):
    boots_with(context, 1)


@test()
def two_vcpus_boot_and_power_off(context):
    boots_with(context, 2)


@test()
def four_vcpus_boot_and_power_off(context):
    boots_with(context, 4)


def boots_from_disk_with(context, cpus):
    disk = context.root_disk()
    what = linux(do="poweroff", cpus=cpus, params="root=/dev/vda", initrd="own", more=("-d", disk))
    with boot(context, what) as guest:
        guest.console.wait_for(UP, context.scale(120))
        guest.console.wait_for(rf"cpus {cpus}, root /dev/vda", context.scale(10))
        check_eq(guest.wait_exit(), 0, "exit status after power-off")


@test(needs="own-initrd root-disk", cap=240)
def the_kernels_own_initrd_boots_from_the_disk(context):
    boots_from_disk_with(context, 1)


@test(needs="own-initrd root-disk long-in-lab", cap=240)
def the_kernels_own_initrd_boots_two_vcpus(context):
    boots_from_disk_with(context, 2)


@test(needs="own-initrd root-disk long", cap=240)
def the_kernels_own_initrd_boots_four_vcpus(context):
    boots_from_disk_with(context, 4)


@test(needs="root-disk")
def the_disk_is_read_and_written(context):
    disk = context.root_disk()
    with boot(context, linux(do="disk", more=("-d", disk))) as guest:
        guest.console.wait_for(r"disk reads: hello from the disk", context.scale(60))
        guest.console.wait_for(r"disk is written", context.scale(20))
    with open(disk, "rb") as f:
        check(b"written by the guest" in f.read(), "the image holds what the guest wrote")


@test()
def a_reboot_ends_with_status_10(context):
    with boot(context, linux(do="reboot")) as guest:
        check_eq(guest.wait_exit(60), 10, "exit status")
        check("reboot" in guest.messages.text(), "the message says so")


@test(needs="x86")
def a_panic_is_reported_and_the_guest_goes_on_to_its_reboot(context):
    with boot(context, linux(do="panic")) as guest:
        check_eq(guest.wait_exit(60), 10, "exit status")
        text = guest.messages.text()
        check(-1 < text.find("panicked") < text.find("reboot"), f"the messages name the panic, then the reboot: {text!r}")


@test(needs="x86")
def a_triple_fault_ends_with_status_11_and_registers(context):
    with boot(context, linux(do="triple", params="reboot=t")) as guest:
        status = guest.wait_exit(60)
        if context.accel == "kvm":
            check_eq(status, 11, "exit status")
            check("rip" in guest.messages.text().lower(), "registers are shown")
        else:  # QEMU does not tell a triple fault from a reset that was asked for
            check(status in (10, 11), f"exit status is {status}, expected 10 or 11")


@test()
def a_signal_ends_gdbvm(context):
    with boot(context, flat("count")) as guest:
        guest.console.wait_for(r"\.", context.scale(20))
        guest.signal(2)
        check_eq(guest.wait_exit(), 130, "exit status")


@test()
def the_console_takes_what_one_types(context):
    with boot(context, linux(do="shell")) as guest:
        guest.console.wait_for(r"[#$] ", context.scale(60))
        guest.process.write(b"echo $((6 * 7))-typed\n")
        guest.console.wait_for(r"42-typed", context.scale(20))


@test(needs="tcg tmux")
def ctrl_a_leads_to_the_monitor_and_out(context):
    terminal = Terminal(context, [context.gdbvm, "run", *accelerated(context), *flat("count")["args"](context)])
    try:
        terminal.wait_for(r"\.")
        terminal.key("C-a")
        terminal.type_keys("c")
        terminal.wait_for(r"\(gdbvm\)")
        terminal.type("info vcpus")
        terminal.wait_for(r"64-bit|EL1")
        terminal.type_keys("info")
        terminal.key("C-c")  # no line, and no end of the guest
        terminal.type("phys on")
        terminal.wait_for(r"addresses are physical")
        terminal.key("C-d")
        terminal.key("C-a")
        terminal.type_keys("x")
        terminal.wait_end()
    finally:
        terminal.close()


@test(needs="tcg tmux")
def a_terminal_that_closes_ends_gdbvm_which_takes_its_socket_along(context):
    path = context.scratch("gdb.sock")
    argv = [context.gdbvm, "run", *accelerated(context), *flat("count")["args"](context), "--gdb", f"unix:{path}"]
    terminal = Terminal(context, argv)
    try:
        terminal.wait_for(r"\.")
        check(os.path.exists(path), "the socket is there")
    finally:
        terminal.close()
    end = time.monotonic() + context.scale(20)
    while os.path.exists(path):
        check(time.monotonic() < end, "the socket goes with gdbvm")
        time.sleep(0.1)


@test()
def the_console_can_go_to_a_file(context):
    path = context.scratch("console.txt")
    what = flat("count", "--console", path)
    with boot(context, what) as guest:
        for _ in range(200):
            if guest.process.ended.wait(context.scale(0.05)):
                break
            with open(path, "a+") as f:
                f.seek(0)
                if re.search(r"\.", f.read()):
                    return
        check(False, "nothing was written to the console's file")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest writes to its debug ports, as gdbvm records it."""
import json
import os
import pathlib
import re
import signal
import subprocess

from guests import flat
from session import Guest, check, check_eq
from suite import test

SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "samples")
BURST = 100000
STRING = [(1, 0xA1), (1, 0xA2), (1, 0xA3), (1, 0xA4), (2, 0xB1B2), (2, 0xB3B4), (4, 0xC1C2C3C4), (4, 0xD1D2D3D4)]

CROWD, CROWD_WRITES, CROWD_STRING = 3, 33334, [n & 0xFF for n in range(600)]

# The same in memory: offset in the page, size, value. The last two are what a byte and a doubleword of it read as.
IN_MEMORY = [(0, 1, 0x16), (0, 2, 0x7788), (0xFFC, 4, 0x55667788), (8, 8, 0x1122334455667788), (0, 1, 0x88), (0, 8, 0x88)]
MEMORY_BURST = 2000


def symbols(path):
    out = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(at, 16) for at, _, name in map(str.split, out.splitlines())}


def recorded(context, name, *more):
    """(header, records, stderr) of a small guest that switches itself off."""
    # The lab's own files cannot be read from here, so the file is standard output; the lab has no /dev/stdout.
    args = flat(name)["args"](context) + ["--console", "none", "--checkpoints", "/proc/self/fd/1", *more]
    with Guest(context, args, gdb=False) as guest:
        check_eq(guest.wait_exit(90), 0, "exit status after power-off")
        lines = [json.loads(line) for line in guest.console.text().splitlines()]
        return lines[0], lines[1:], guest.messages.text()


def check_sequence(records):
    check_eq([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence numbers")
    times = [r["t"] for r in records]
    check_eq(times, sorted(times), "times")


def check_codes(records):
    """What the guest `codes` writes. Returns: the writes, and (size, value) of each."""
    check_sequence(records)
    writes = [r for r in records if "value" in r]
    values = [(r["size"], int(r["value"], 16)) for r in writes]
    check_eq(values[:3], [(1, 0x16), (2, 0x3344), (4, 0x11223344)], "writes of each size")
    check_eq(values[3:11], STRING, "string writes")
    check_eq(values[11:11 + BURST], [(4, n) for n in range(BURST)], "the burst")
    check_eq(values[11 + BURST:], [(1, (BURST - 1) & 0xFF)], "what a read of the port gave")
    check_eq([r["text"] for r in records[11:13]], ["one line", 'and "another"'], "text, in its place")
    return writes, values


@test(needs="kvm x86")
def every_write_is_a_record_in_order(context):
    header, records, messages = recorded(context, "codes")
    check_eq((header["gdbvm"], header["version"]), ("checkpoints", 1), "header")
    writes, values = check_codes(records)
    check(all(r["vcpu"] == 0 for r in records), "vCPU")
    check(all(r["mode"] == "exact" for r in writes), "mode")

    places = symbols(context.guest("codes.elf"))
    for record, place in ((writes[0], "first"), (writes[11], "burst")):
        pc = int(record["pc"], 16) - places[place]
        check(pc in (0, 2), f"the pc of {place} is at the instruction, or where KVM emulates behind it: {record['pc']}")

    shown = [line for line in messages.splitlines() if not line.startswith(("gdbvm: ", "vCPU "))]
    check_eq(shown, [f"port80: write 0x{value:0{2 * size}x}" for size, value in values], "text form")
    check(messages.index("the guest powered off") > messages.rindex("port80:"), "all of it comes before the end is told")


@test(needs="kvm x86")
def writes_that_kvm_keeps_stay_in_order(context):
    _, records, messages = recorded(context, "codes", "--checkpoint-mode", "coalesced")
    writes, values = check_codes(records)
    check(all(r["mode"] == "coalesced" for r in writes), "mode")
    check(not any("vcpu" in r or "pc" in r for r in records), "nobody knows which vCPU it was, and where")
    check_eq(len(messages.split("port80: write ")) - 1, len(values), "writes in the text form")
    check(messages.index("the guest powered off") > messages.rindex("port80:"), "all of it comes before the end is told")


@test(needs="kvm x86")
def writes_that_kvm_keeps_are_told_although_the_guest_stays_in(context):
    """It writes one code, and then goes round in a loop."""
    args = flat("modes")["args"](context) + ["--console", "none", "--checkpoints", "/dev/null"]
    with Guest(context, args + ["--checkpoint-mode", "coalesced"], gdb=False) as guest:
        guest.messages.wait_for("port80: write 0x16\n", context.scale(20))


@test(needs="kvm x86 long")
def several_vcpus_write_at_once(context):
    """Each has its own order, and to another port there goes a string that is longer than KVM's ring."""
    for mode in "exact", "coalesced":
        more = ["-c", str(CROWD), "--debug-port", "0x80,0xe0", "--checkpoint-mode", mode]
        _, records, messages = recorded(context, "crowd", *more)
        check_sequence(records)
        check_eq(len(records), CROWD * CROWD_WRITES + len(CROWD_STRING) + 2, "records")
        check_eq([records[0].get("text"), records[-1].get("text")], ["first", "last"], "text before and after")
        string = [int(r["value"], 16) for r in records if r["port"] == "0xe0"]
        check_eq(string, CROWD_STRING, "the string")
        check("porte0: write 0xff\n" in messages, "the text form has the port")
        for number in range(CROWD):
            of = [r for r in records if r["port"] == "0x80" and int(r["value"], 16) >> 24 == number]
            check_eq([int(r["value"], 16) & 0xFFFFFF for r in of], list(range(CROWD_WRITES)), f"order of {number}, {mode}")
            check_eq(len({r.get("vcpu") for r in of}), 1, "it is one vCPU's")


@test(needs="kvm x86")
def port_of_another_device_is_refused(context):
    for port, there in ("0x3f8", "uart"), ("0x20", "interrupt controller"), ("0x402", "debug console"):
        args = flat("codes")["args"](context) + ["--console", "none", "--debug-port", f"0x80,{port}"]
        with Guest(context, args, gdb=False) as guest:
            check_eq(guest.wait_exit(), 2, "exit status")
            check(f"the debug port cannot be at {port}: the {there} is there" in guest.messages.text(), "it is said")


def bytes_of(writes, port=0x80):
    """What QEMU makes of writes to port 0x80: one of each byte, at ports that follow."""
    return [(port + i, value >> 8 * i & 0xFF) for size, value in writes for i in range(size)]


@test(needs="tcg x86")
def qemu_tells_what_a_guest_writes(context):
    """The same as on KVM, but that QEMU takes wide writes apart, and that a read gives 0xff."""
    _, records, messages = recorded(context, "codes")
    check_sequence(records)
    writes = [r for r in records if "value" in r]
    check(all((r["size"], r["mode"], r["vcpu"]) == (1, "tcg", 0) for r in writes), "size, mode and vCPU")
    expected = bytes_of([(1, 0x16), (2, 0x3344), (4, 0x11223344), *STRING, *((4, n) for n in range(BURST)), (1, 0xFF)])
    check_eq([(int(r["port"], 16), int(r["value"], 16)) for r in writes], expected, "writes")
    at = len(bytes_of([(1, 0x16), (2, 0x3344), (4, 0x11223344), *STRING]))
    check_eq([r["text"] for r in records[at:at + 2]], ["one line", 'and "another"'], "text, in its place")
    check(messages.index("the guest powered off") > messages.rindex("port80:"), "all of it comes before the end is told")


@test(needs="tcg x86")
def a_crash_is_told_in_a_log_of_checkpoints(context):
    """Two codes in real mode, and then an interrupt without a vector table: a triple fault, which QEMU only logs."""
    path = context.scratch("crash.bin")
    with open(path, "wb") as f:
        f.write(bytes.fromhex("b0 16 e6 80 e6 e0 0f 01 1e 0d 80 cd 03" "00 00 00 00 00 00"))
    for ports in [], ["--debug-port", "0xe0"]:
        args = ["--flat", f"{path}@0x8000", "-m", "16", "--console", "none", "--checkpoints", "/proc/self/fd/1", *ports]
        with Guest(context, args, gdb=False) as guest:
            check_eq(guest.wait_exit(), 11, "exit status after a triple fault")
            records = [json.loads(line) for line in guest.console.text().splitlines()[1:]]
            check_eq([(r["port"], r["value"]) for r in records], [("0xe0" if ports else "0x80", "0x16")], "records")


@test(needs="tcg x86")
def a_recording_that_cannot_be_made_is_an_error(context):
    """Of a guest that goes well: no room for it. Of one that does not even start: the former recording stays."""
    path, kept, new = (context.scratch(name) for name in ("off.bin", "kept.jsonl", "new.jsonl"))
    with open(path, "wb") as f:
        f.write(bytes.fromhex("b0 16 e6 80 ba 04 06 b8 00 34 ef f4 eb fd"))  # a code, power-off
    write_boot(kept, (0x16,))
    before = pathlib.Path(kept).read_bytes()
    for image, file, status, why in ((path, "/dev/full", 4, "could be written to /dev/full: No space left"),
                                     (path, new, 0, "powered off"), ("/no/such", kept, 4, "/no/such"),
                                     ("/no/such", new + ".2", 4, "/no/such")):
        args = ["--flat", f"{image}@0x8000", "-m", "16", "--console", "none", "--checkpoints", file]
        with Guest(context, args, gdb=False) as guest:
            check_eq(guest.wait_exit(20), status, f"exit status; {guest.messages.text()}")
            check(why in guest.messages.text(), guest.messages.text())
    check_eq(len(pathlib.Path(new).read_text("ascii").splitlines()), 2, "lines of one that can be made")
    check_eq(pathlib.Path(kept).read_bytes(), before, "the former recording")
    check(not os.path.exists(new + ".2"), "there is no empty one")


@test(needs="tcg x86")
def ports_that_are_none_are_refused(context):
    for ports, why in (("0x10000", "from 0 to 0xffff"), ("80h", "from 0 to 0xffff"), ("0x80,", "between commas"),
                       ("0x80,128", "0x80 is in it twice"), ("1,2,3,4,5,6,7,8,9", "8 ports at most")):
        args = flat("codes")["args"](context) + ["--debug-port", ports]
        with Guest(context, args, gdb=False) as guest:
            check_eq(guest.wait_exit(), 2, "exit status")
            check(why in guest.messages.text(), guest.messages.text())


@test(needs="kvm arm64")
def writes_to_the_debug_port_in_memory_are_records(context):
    """At its usual address, and at another one; the guest finds it in the device tree."""
    for port, more in ((0x090F0000, []), (0x10000000, ["--debug-mmio", "0x10000000"])):
        _, records, messages = recorded(context, "codes", *more)
        check_eq([r["seq"] for r in records], list(range(1, len(records) + 1)), "sequence numbers")
        check(all((r["vcpu"], r["mode"]) == (0, "exact") for r in records), "vCPU and mode")
        writes = [(int(r["mmio"], 16) - port, r["size"], int(r["value"], 16)) for r in records]
        check_eq(writes[:6], IN_MEMORY, "writes of each size, and what reads gave")
        check_eq(writes[6:], [(0, 4, n) for n in range(MEMORY_BURST)], "the burst")
        places = symbols(context.guest("codes.elf"))
        for record, place in ((records[0], "first"), (records[6], "burst")):
            check_eq(int(record["pc"], 16), places[place], f"pc of {place}")
        shown = [line for line in messages.splitlines() if line.startswith("mmio")]
        check_eq(shown, [f"mmio{port + at:x}: write 0x{value:0{2 * size}x}" for at, size, value in writes], "text form")


@test(needs="tcg arm64")
def a_machine_without_the_debug_port_in_memory_says_so(context):
    args = flat("codes")["args"](context)
    for more in (["--debug-mmio", "0x10000000"], ["--checkpoints", context.scratch("boot.jsonl")]):
        with Guest(context, args + more, gdb=False) as guest:
            check_eq(guest.wait_exit(20), 3, "exit status")
            check(more[0] in guest.messages.text() and "kvm" in guest.messages.text(), guest.messages.text())


@test(needs="kvm x86 long")
def the_file_ends_at_its_limit(context):
    _, records, messages = recorded(context, "codes", "--checkpoint-limit", "64K")
    check(400 < len(records) < 800, f"{len(records)} records in 64 KiB")
    check_eq([records[-1]["mark"], records[-1]["count"]], ["cut", 65536], "last record")
    lost = 11 + BURST + 1 + 2 - (len(records) - 1)
    check(f"lacks {lost} checkpoints, from number {len(records)} on" in messages, "it is said")


def write_boot(path, values):
    """A file that is like a recorded one."""
    write = '{"seq":%d,"t":%d.5,"vcpu":0,"pc":"0xfffffe92","port":"0x80","size":1,"value":"0x%x","mode":"exact"}\n'
    with open(path, "w", encoding="ascii") as f:
        f.write('{"gdbvm":"checkpoints","version":1,"t":10.0,"epoch":1700000000.0}\n')
        f.writelines(write % (n, 10 + n, value) for n, value in enumerate(values, 1))
    return path


def checkpoints(context, action, *args, status=0):
    """What `gdbvm checkpoints ACTION` prints; on standard error, if that is what counts."""
    process = context.place.spawn([context.gdbvm, "checkpoints", action, *args])
    check_eq(process.wait(context.scale(20)), status, f"exit status of {action} {args}")
    return process.out.text() if status < 2 else process.err.text()


@test(needs="tcg")
def recorded_checkpoints_are_shown(context):
    """A file from somewhere else, without a guest: as a table with the names of a map, as text, and as a trace."""
    path, names = write_boot(context.scratch("boot.jsonl"), (0x16, 0xCD, 0, 0x10)), context.scratch("boot.map")
    with open(names, "w", encoding="ascii") as f:
        f.write("sequence 0xcd SME_PFN pfn:le16\n")

    def show(*args, status=0):
        return checkpoints(context, "show", *args, status=status)

    rows = show(path, "--checkpoint-map", "ovmf", "--checkpoint-map", names).splitlines()
    check_eq(len(rows), 3, "rows")
    check(rows[1].endswith("0x16  16BIT_MODE"), rows[1])
    check(rows[2].endswith("0xcd  SME_PFN pfn=0x1000"), rows[2])
    check_eq(len(show(path, "--all").splitlines()), 5, "rows with all")
    check_eq(show(path, "--format", "text").splitlines()[1], "port80: write 0xcd", "text")
    check_eq(len(json.loads(show(path, "--format", "trace"))["traceEvents"]), 6, "events of the trace")
    check("/etc/passwd" in show("/etc/passwd", status=4), "a file that is something else is named")
    with subprocess.Popen([context.gdbvm, "checkpoints", "show", write_boot(path, [n & 0xFF for n in range(9999)])],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        check_eq((process.stderr.read(), process.wait()), (b"", -signal.SIGPIPE), "when only the beginning is read")
    check("--format svg" in show("--format", "svg", path, status=2), "a format that there is not is named")


@test(needs="tcg")
def boots_are_compared(context):
    a = write_boot(context.scratch("a.jsonl"), (0x16, 0x32, 0xB1, 0xF1, 0x64))
    b = write_boot(context.scratch("b.jsonl"), (0x16, 0x32, 0xB0))
    check("5 in both; 0 only in A, 0 only in B" in checkpoints(context, "diff", a, a), "a boot is like itself")
    lines = checkpoints(context, "diff", "--checkpoint-map", "ovmf", a, b, status=1).splitlines()
    check_eq([line[0] + line.split()[-1] for line in lines if line[0] in "-+"],
             ["-BFV_FOUND", "-SEC_FOUND", "-64BIT_MODE", "+BFV_NOT_FOUND"], "what differs")
    samples = [os.path.join(SAMPLES, name) for name in ("before.jsonl", "after.jsonl")]
    shown = checkpoints(context, "diff", "--largest=2", *samples).split("\n", 2)[2]  # behind the names
    with open(os.path.join(SAMPLES, "../../README.md"), encoding="utf-8") as f:
        check(shown in f.read(), f"the tour shows what is printed: {shown}")
    check("no second file" in checkpoints(context, "diff", a, status=2), "a file is missing")
    check("--largest=0" in checkpoints(context, "diff", "--largest=0", a, b, status=2), "a number that makes no sense")
    check("/no/such" in checkpoints(context, "diff", a, "/no/such", status=4), "a file that is not there")


@test(needs="tcg")
def a_report_goes_beside_the_recording(context):
    a, b = (write_boot(context.scratch(name), (0x16, 0x32)) for name in ("a.jsonl", "b.jsonl"))
    checkpoints(context, "report", a, b)
    with open(context.scratch("a.html"), encoding="utf-8") as f:
        page = f.read()
    check_eq(page, checkpoints(context, "report", "--output=-", a, b), "the page, on standard output")
    check(page.startswith("<!doctype html>") and page.endswith("</html>\n"), "it is a page")
    check(not re.search(r"https?:|url\((?!#)|@import|src=", page), "it takes nothing from anywhere")
    check(checkpoints(context, "report", "--format=svg", "-o", "-", a).startswith("<svg "), "a picture")
    check("/no/such" in checkpoints(context, "report", "-o", "/no/such/x.html", a, status=4), "where it cannot go is named")
    check("pdf" in checkpoints(context, "report", "--format", "pdf", a, status=2), "a format that there is not is named")
    html = write_boot(context.scratch("c.html"), (0x16,))
    check("c.html is what the report is made of" in checkpoints(context, "report", html, status=4), "what it is made of stays")
    check("b.jsonl is what the report is made of" in checkpoints(context, "report", a, b, "-o", b, status=4), "also by name")
    check("two files" in checkpoints(context, "report", a, a, b, status=2), "three are too many")


@test(needs="tcg x86")
def sites_are_found_in_images(context):
    def scan(*args):
        return checkpoints(context, "scan", *args).splitlines()

    guest = context.guest("codes.elf")
    lines = scan("--checkpoint-map", "ovmf", guest)
    check("1 checkpoint of port 0x80: instrumented" in lines[0], lines[0])
    check_eq(lines[1:], [f"site {symbols(guest)['first']:#x} 16BIT_MODE # 0x16"], "sites")
    lines = scan(context.kernel("vmlinux"))
    check("not instrumented" in lines[0], lines[0])
    check(any(re.fullmatch(r"noise 0xffffffff[0-9a-f]+-0xffffffff[0-9a-f]+ native_io_delay", line) for line in lines),
          "io_delay of Linux is found")


@test(needs="kvm x86 long", cap=300)
def what_linux_writes_to_wait_is_noise_wherever_it_was_moved_to(context):
    """A stock kernel with KASLR, which writes to port 0x80 only if it does not know that this is KVM."""
    names = context.scratch("kernel.map")
    with open(names, "wb") as f:
        subprocess.run([context.gdbvm, "checkpoints", "scan", context.kernel("vmlinux")], stdout=f, check=True)
    args = ["-k", context.kernel("vmlinuz"), "-p", "panic=-1 reboot=p nopv io_delay=0x80", "-m", "256", "--console", "none",
            "--checkpoints", "/proc/self/fd/1", "--checkpoint-map", "linux", "--checkpoint-map", names]
    with Guest(context, args, gdb=False) as guest:
        check_eq(guest.wait_exit(240), 10, "exit status after a panic, without a root file system")
        records = [json.loads(line) for line in guest.console.text().splitlines()[1:]]
    check(records, "it writes")
    check_eq({r.get("noise") for r in records}, {"native_io_delay"}, "what writes")

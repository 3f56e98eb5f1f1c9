# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots against golden files: each verdict with its exit status, and the files that tell other tools."""
import json
import os
import re
import time

from junitparser import Error, Failure, JUnitXml, Skipped
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from guests import flat
from session import Guest, Session, check, check_eq
from suite import test

DIVERGED, STALLED, CRASHED, UNDECIDED = 20, 21, 22, 23
MAP = "0x16 REAL\n0x32 PROTECTED\n0x64 LONG\nsequence 0xcd PFN pfn:le32\n"
GOLDEN = "0x16 # REAL\nPROTECTED\nPFN pfn=0x10*\nLONG\n"


def write(context, name, content):
    path = context.scratch(name)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return path


def arguments(context, end, golden=None, *more):
    """Those of the guest that ends so: o: power-off, r: reboot, t: triple fault, p: panic, h: hang."""
    with open(context.guest("ends.bin"), "rb") as f:
        image = write(context, f"ends-{end}.bin", f.read()[:-1] + end.encode())
    out = ["--flat", f"{image}@{context.arch.flat['ends']:#x}", "--flat-mode", "long", "-m", "16", "--console", "none"]
    if golden:
        out += ["--expect", write(context, f"golden-{context.serial()}.txt", golden)]
    return out + ["--checkpoint-map", write(context, "ends.map", MAP), *more]


def ended(context, args, status):
    """The messages of a guest that nobody debugs."""
    with Guest(context, args, gdb=False) as guest:
        check_eq(guest.wait_exit(60), status, "exit status")
        return guest.messages.text()


@test(needs="x86")
def a_boot_as_expected_ends_at_its_last_expectation(context):
    """With files for other tools, and from a recording of the same guest."""
    xml, numbers, boot = (context.scratch(name) for name in ("matched.xml", "matched.txt", "boot.jsonl"))
    args = arguments(context, "h", GOLDEN, "--junit", xml, "--metrics", numbers, "--checkpoints", boot, "-c", "2")
    text = ended(context, args, 0)
    check("matched: " in text and text.index("port80: write 0x64") < text.index("matched: "), f"what is told: {text!r}")

    suite, = JUnitXml.fromfile(xml)
    check_eq((suite.tests, suite.failures, suite.errors, suite.skipped), (4, 0, 0, 0), "counts of JUnit")
    check_eq([case.name for case in suite], GOLDEN.splitlines(), "test cases")
    with open(numbers, encoding="ascii") as f:
        families = {family.name: family.samples for family in text_string_to_metric_families(f.read())}
    check_eq(families["gdbvm_checkpoints"][0].value, 4, "checkpoints")
    phases = [sample.labels["phase"] for sample in families["gdbvm_phase_seconds"] if sample.name.endswith("_sum")]
    check_eq(phases, ["LONG", "PFN", "PROTECTED", "REAL"], "phases")
    check_eq([s.labels["gdbvm_verdict"] for s in families["gdbvm_verdict"] if s.value], ["matched"], "verdict")
    check(not [name for name in os.listdir(os.path.dirname(xml)) if name.endswith(".new")], "no unfinished file is left")

    with open(boot, encoding="ascii") as f:
        last = json.loads(f.readlines()[-1])
    check_eq((last["mark"], last["verdict"], "gdbvm: " + last["text"] in text), ("verdict", "matched", True), "its last line")
    shown = context.place.spawn([context.gdbvm, "checkpoints", "show", "--format", "golden", boot])
    check_eq(shown.wait(context.scale(20)), 0, "exit status of show")
    check_eq(shown.out.text(), "0x16 # REAL\n0x32 # PROTECTED\nPFN pfn=0x1000\n0x64 # LONG\n", "golden file")
    ended(context, arguments(context, "o", shown.out.text() + "power-off\n"), 0)


@test(needs="x86")
def a_boot_that_diverges_is_told_by_line_and_record(context):
    xml = context.scratch("diverged.xml")
    golden = "0x16\nany\nPROTECTED\nend\noptional 0x33\nPFN pfn=0x2000\n0x64\n"
    text = ended(context, arguments(context, "h", golden, "--junit", xml), DIVERGED)
    for words in ("diverged after checkpoint 2 0x32 PROTECTED", "expected 'optional 0x33' (", ".txt:5) or 'PFN pfn=0x2000' (",
                  "seen: 0xcd PFN pfn=0x1000 (checkpoint 7, vCPU 0" + (" at pc 0x" if context.accel == "kvm" else "")):
        check(words in text, f"{words!r} is told: {text!r}")
    suite, = JUnitXml.fromfile(xml)
    results = [[type(result) for result in case.result] for case in suite]
    check_eq(results, [[], [], [Skipped], [Failure], [Skipped]], "results")
    check("seen: 0xcd PFN" in list(suite)[3].result[0].message, "message")


@test(needs="x86")
def a_guest_that_ends_too_early_has_diverged(context):
    for end, seen in (("o", "seen: power-off"), ("r", "seen: reset")):
        text = ended(context, arguments(context, end, GOLDEN + "0x65\n"), DIVERGED)
        check("diverged after checkpoint 8 0x64 LONG: expected '0x65' (" in text and seen in text, f"what is told: {text!r}")


@test(needs="x86")
def a_guest_that_crashes_is_told_with_its_last_checkpoint(context):
    for end, why in (("t", "triple fault"), ("p", "panic")):
        text = ended(context, arguments(context, end, GOLDEN + "0x65\n"), CRASHED)
        check("crashed after checkpoint 8 0x64 LONG: " in text and why in text, f"what is told: {text!r}")
        check("vCPU 0: " in text, "where it is")
    ended(context, arguments(context, "p", GOLDEN), 0)  # all was met before
    xml = context.scratch("crashed.xml")
    ended(context, arguments(context, "t", "...\n0x65\n", "--junit", xml), CRASHED)
    suite, = JUnitXml.fromfile(xml)
    check_eq([type(result) for case in suite for result in case.result], [Error], "results")


@test(needs="x86")
def a_guest_that_hangs_is_told_with_every_vcpu(context):
    args = arguments(context, "h", GOLDEN + "...\n0x65\n", "-c", "2", "--boot-timeout", "5")
    text = ended(context, args, STALLED)
    check("stalled after checkpoint 8 0x64 LONG: nothing that is expected for " in text and "expected '0x65' (" in text,
          f"what is told: {text!r}")
    check(re.search(r"vCPU 0: 64-bit, rip=0x1000\w\w .* code: .*(<f3> 90|f3 90 <eb>)", text) and
          "vCPU 1: real mode, eip=0xfffffff0" in text, f"where the vCPUs are: {text!r}")


@test(needs="x86 long")
def without_a_golden_file_any_checkpoint_is_progress(context):
    timeout = ["--boot-timeout", "5"]
    text = ended(context, arguments(context, "h", None, *timeout), STALLED)
    check("stalled after checkpoint 8 0x64 LONG: nothing more for " in text, f"what is told: {text!r}")
    numbers = context.scratch("ended.txt")
    ended(context, arguments(context, "o", None, *timeout, "--metrics", numbers), 0)
    ended(context, arguments(context, "t", None, *timeout), 11)
    with open(numbers, encoding="ascii") as f:
        verdict = [s for family in text_string_to_metric_families(f.read()) for s in family.samples
                   if family.name == "gdbvm_verdict" and s.value]
    check_eq([s.labels["gdbvm_verdict"] for s in verdict], ["ended"], "verdict")


@test(needs="kvm x86 swbreak")
def time_stands_still_for_who_debugs(context):
    """Neither the limits nor the time-out count while GDB holds the guest, which stays for GDB after the verdict."""
    golden = GOLDEN.replace("LONG", "LONG within 1ms")
    args = arguments(context, "h", golden, "--boot-timeout", "1")
    with Session(context, args, flat("ends")["symbols"](context)) as s:
        time.sleep(1.5)
        s.brk("hang")
        s.brk("next")
        s.run_to_stop("continue")
        time.sleep(1.5)
        s.delete("2")
        s.run_to_stop("continue", bp="1")
        s.guest.messages.wait_for("matched: ", context.scale(20))
        check_eq(s.word(s.address("how"), "b"), ord("h"), "the guest is still there")
        s.delete()
        s.detach()
        check_eq(s.guest.wait_exit(), 0, "exit status")


@test(needs="x86")
def who_ends_the_guest_before_the_verdict_is_told_so(context):
    xml = context.scratch("ended.xml")
    with Session(context, arguments(context, "h", GOLDEN + "0x65\n", "--junit", xml)) as s:
        s.mi.command("-interpreter-exec console kill", s.timeout)
        check_eq(s.guest.wait_exit(), UNDECIDED, "exit status")
    suite, = JUnitXml.fromfile(xml)
    check_eq([type(result) for case in suite for result in case.result], [Error, Skipped, Skipped, Skipped, Skipped], "results")


@test(needs="tcg x86 long")
def firmware_meets_the_golden_file_of_the_manual(context):
    with open(os.path.join(context.root, "docs/golden.md"), encoding="ascii") as f:
        golden = re.search(r"(?m)^    16BIT_MODE\n(?:    .*\n)+", f.read()).group()
    args = ["--firmware", context.ovmf("OVMF.fd"), "--console", "none", "--checkpoint-map", "ovmf", "--expect"]
    text = ended(context, [*args, write(context, "ovmf.txt", golden), "--boot-timeout", "60"], 0)
    check("matched: " in text, f"what is told: {text!r}")
    text = ended(context, [*args, write(context, "other.txt", golden.replace("SEC_FOUND", "SEC_NOT_FOUND"))], DIVERGED)
    check("diverged after checkpoint 3 0xb1 BFV_FOUND: expected 'SEC_NOT_FOUND' (" in text and "seen: 0xf1 SEC_FOUND (" in text,
          f"what is told: {text!r}")

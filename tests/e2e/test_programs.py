# SPDX-License-Identifier: LGPL-2.1-or-later
"""Test programs in C that need an accelerator: they run where the guests run."""
from session import check_eq
from suite import test

PROGRAMS = [("kvm_cpus", "x86 kvm swbreak hwbreak"), ("kvm_regs", "x86 kvm hwbreak"), ("kvm_step", "x86 kvm swbreak hwbreak"),
            ("kvm_time", "x86 kvm"), ("kvm_arm64", "arm64 kvm"), ("kvm_arm64_cpus", "arm64 kvm"), ("kvm_arm64_debug", "arm64 kvm"),
            ("kvm_arm64_time", "arm64 kvm"), ("tcg_target", "x86 tcg")]


def program(name, needs):
    def run(context):
        path = context.program(f"tests/e2e/{name}")
        process = context.place.spawn([path], env={"GDBVM_GUESTS": context.guest("")})
        try:
            status = process.wait(context.scale(60))
            context.keep(f"{name}.log", process.out.text() + process.err.text())
            failed = [line for line in process.err.text().splitlines() if "FAILED" in line or "error" in line.lower()]
            check_eq(status, 0, f"exit status of {name} ({'; '.join(failed[:5])})")
        finally:
            process.stop()
    run.__name__, run.__module__ = name, __name__
    test(needs, cap=200)(run)


for name, needs in PROGRAMS:
    program(name, needs)


@test(needs="x86 kvm swbreak", cap=200)
def the_benchmarks_work(context):
    """A little of each, without a look at the figures."""
    bench, guest = context.program("tests/bench/bench"), context.guest("bench.bin")
    process = context.place.spawn([bench, "--quick", context.gdbvm, guest])
    try:
        status = process.wait(context.scale(60))
        check_eq(status, 0, f"exit status of bench ({process.err.text().strip()[-300:]})")
    finally:
        process.stop()

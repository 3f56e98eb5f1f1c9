# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that does all that is hard to step, stepped on KVM and by QEMU's TCG: every register after every step."""
import os
import subprocess

from guests import flat
from session import check_eq, started
from suite import test


def compare(context, steps):
    trace, image, arch = os.path.join(context.build, "tests/e2e/step_trace"), context.guest("steps.bin"), context.arch.name
    kvm, tcg = context.scratch("steps.kvm"), os.path.join(context.dir, "steps.tcg")
    reference = subprocess.Popen([trace, "tcg", arch, image, str(steps), tcg], stderr=subprocess.PIPE, text=True)
    process = context.place.spawn([context.program("tests/e2e/step_trace"), "kvm", arch, image, str(steps), kvm])
    try:
        check_eq(process.wait(60 + steps / 50), 0, f"exit status on KVM ({process.err.text().strip()[-300:]})")
        text = reference.communicate(timeout=60 + steps / 50)[1]
        check_eq(reference.returncode, 0, f"exit status on TCG ({text.strip()[-300:]})")
        done = subprocess.run([trace, "compare", arch, kvm, tcg], stdout=subprocess.PIPE, text=True)
        context.keep("steps.log", process.err.text() + text + done.stdout)
        check_eq(done.returncode, 0, f"comparison ({done.stdout[:2000]})")
    finally:
        process.stop()
        reference.kill()
        reference.wait()


@test(needs="kvm swbreak brief", cap=200)
def thousands_of_steps_are_those_of_tcg(context):
    compare(context, {"x86": 10000, "arm64": 7000}[context.arch.name])


@test(needs="kvm swbreak long", cap=1200)
def a_long_row_of_steps_is_that_of_tcg(context):
    compare(context, {"x86": 200000, "arm64": 50000}[context.arch.name])  # three minutes each


@test(needs="tcg arm64")
def a_step_over_an_instruction_that_waits_is_one_step(context):
    with started(context, flat("count")) as s:
        for number, code in enumerate((0xD503203F, 0xD503205F, 0xD503207F)):  # yield, wfe, wfi
            s.cmd(f"set var *(unsigned int *)($pc + {4 * number}) = {code:#x}")
        for _ in range(3):
            before = s.pc()
            s.stepi()
            check_eq(s.pc(), before + 4, "pc after a step")

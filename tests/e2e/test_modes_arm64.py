# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kinds of translation of arm64: none, every granule, both halves."""
import time

from guests import flat
from session import check, check_eq, started
from suite import test

WORD = 0x40400000
# label where the guest stays, value of `go` that lets it go on, where else the marked word is
PARTS = [
    ("at_off", 1, []),
    ("at_39", 2, [0x80400000]),
    ("at_48", 3, [0x80400000, 0xFFFF800000000000]),
    ("at_16k", 4, [0xC0400000]),
    ("at_64k", 5, [0xE0400000]),
]
PLACES = {place for _, _, places in PARTS for place in places}


def go_to(s, label):
    """Let the guest run until it stays at `label`; False if this processor cannot."""
    end = time.monotonic() + s.context.scale(10)
    while time.monotonic() < end:
        s.cont()
        s.expect_no_stop(0.02)
        s.interrupt()
        if s.function() == label:
            return True
        lacks = f"lacks_{label.removeprefix('at_')}"
        if label in ("at_16k", "at_64k") and s.word(s.address(lacks)):
            return False
    check(False, f"the guest does not come to {label}, but is in {s.function()}")


@test(needs="arm64", cap=200)
def a_walk_through_all_kinds_of_translation(context):
    with started(context, flat("modes")) as s:
        seen = 0
        for label, go, places in PARTS:
            if not go_to(s, label):
                continue
            seen += 1
            for place in [WORD] + places:
                s.cmd(f"set var *(int *){WORD:#x} = 0x600d600d")
                check_eq(s.word(place), 0x600D600D, f"the word at {place:#x} in {label}")
                s.cmd(f"set var *(int *){place:#x} = 0x600d0001")
                check_eq(s.word(WORD), 0x600D0001, f"what was written at {place:#x}")
                text = s.cmd(f"monitor pt {place:#x}")
                check(f"physical {WORD:#x}" in text, f"the walk ends at the word's physical address: {text}")
            for place in PLACES.difference(places):
                check("annot access memory" in s.refused(f"x/1wx {place:#x}"), f"{place:#x} is not mapped in {label}")
            before = s.word(s.address("spins"))
            for _ in range(20):
                s.stepi()
            check(s.word(s.address("spins")) > before, "it is stepped")
            s.cmd(f"set var *(int *)&go = {go}")
        check(seen >= 4, f"{seen} kinds were seen")


@test(needs="arm64 swbreak hwbreak", cap=200)
def breakpoints_and_watchpoints_are_hit_in_every_kind(context):
    with started(context, flat("modes")) as s:
        for label, go, _ in PARTS:
            if not go_to(s, label):
                continue
            for set_one in (s.brk, s.hbrk):
                bp = set_one(f"*{label}")
                for _ in range(2):
                    s.cont()
                    s.expect_stop(bp=bp, func=label)
                s.delete(bp)
            wp = s.watch("*(int *)&spins")
            for _ in range(2):
                s.cont()
                s.expect_stop(watch=wp, func=label)
            s.delete(wp)
            s.cmd(f"set var *(int *)&go = {go}")

# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the runner runs: tests, and scenes - a guest that several tests share.

A scene starts when its first test runs and lives until its last one; after a failed test it starts afresh. Each of its
tests begins with the guest stopped, GDB connected and no breakpoints, somewhere after what `prepare` reached.

`needs` are words: x86, arm64, kvm, tcg (only there); swbreak, hwbreak, cr8 (what the test machine can do to a guest); tmux; root-disk; root;
lldb; nasm; gdb16 (run.py --gdb); long (minutes: only with --long); long-on-arm64, long-in-lab (likewise there);
brief (where a longer one of its kind is run it adds nothing).
"""
TESTS = []


class Test:
    def __init__(self, function, scene, needs, cap):
        self.function, self.scene, self.cap = function, scene, cap
        self.name = f"{function.__module__.removeprefix('test_')}.{function.__name__}"
        self.needs = set(needs.split()) | (scene.needs if scene else set())


def test(needs="", cap=120):
    """A test on its own: its function gets the context and makes its guests itself."""
    def register(function):
        TESTS.append(Test(function, None, needs, cap))
        return function
    return register


class Scene:
    """`args` and `symbols` are functions of the context; `prepare` of the session."""

    def __init__(self, args, symbols=None, prepare=None, needs="", wait=True, init=lambda context: ()):
        self.args, self.symbols, self.prepare, self.wait, self.init = args, symbols, prepare, wait, init
        self.needs = set(needs.split())

    def test(self, needs="", cap=120):
        def register(function):
            TESTS.append(Test(function, self, needs, cap))
            return function
        return register

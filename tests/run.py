#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run test programs and count every test in them.

usage: tests/run.py STEP...    each STEP is  NAME=BUILD_DIR:SUITE  (the tests of a meson suite in a build)
                               or            NAME=!COMMAND         (prints TAP, or says it by its status)

Whenever a step ends the next one starts, in the order given, so that twice as many as there are processors are under
way: guests make one wait. Give long steps first. The lines of long steps say which they are.
Programs that print TAP are counted test by test; of others the exit status is the one result (0 passed, 77 skipped).
Failed and skipped tests are named at the end; the last line is `N passed, N failed, N skipped`.
Exit status: 0 if nothing failed.
"""
import json
import os
import queue
import re
import shlex
import subprocess
import sys
import threading
import time

TAP = re.compile(r'^(ok|not ok)\b[ \d]*-?\s*(.*?)(?:\s+#\s*(skip\S*)\s*(.*))?$', re.I)

AT_ONCE_MAX = 6  # each of the lab's machines has 2 GiB


def named(step, line):
    """A line of TAP with the step's name in it."""
    return re.sub(r'^((?:not )?ok [0-9]+ - |# )', rf'\g<1>{step}: ', line)


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


class Tally:
    """The results of one step."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add_tap(self, step, match):
        verdict, name, skip, reason = match.groups()
        if skip:
            self.skipped.append(f'{step}: {name}: {reason}')
        elif verdict.lower() == 'ok':
            self.passed += 1
        else:
            self.failed.append(f'{step}: {name}')

    def add_status(self, step, status, output):
        if status == 0:
            self.passed += 1
        elif status == 77:
            self.skipped.append(f'{step}: {output.strip().splitlines()[-1] if output.strip() else "no reason given"}')
        else:
            self.failed.append(step)


def run(tally, step, command, limit, env=None, cwd=None):
    """One program: its output is shown when something failed, or as it comes if the step is a long one."""
    failed_before = len(tally.failed)
    lines, counted = [], 0
    live = limit is None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          env={**os.environ, 'CMOCKA_MESSAGE_OUTPUT': 'TAP', **(env or {})}, text=True,
                          errors='replace', cwd=cwd) as process:
        deadline = None if live else time.monotonic() + limit
        for line in process.stdout:
            lines.append(line)
            if live:
                say(named(step, line))
            match = TAP.match(line.rstrip())
            if match:
                tally.add_tap(step, match)
                counted += 1
            if deadline and time.monotonic() > deadline:
                process.kill()
        try:
            status = process.wait(timeout=None if live else max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
    if not counted:
        tally.add_status(step, status, ''.join(lines))
    elif status not in (0, 77) and len(tally.failed) == failed_before:
        tally.failed.append(f'{step}: ended with status {status} after its last test')
    if len(tally.failed) > failed_before and not live:
        say(f'--- {step}: {shlex.join(command)}\n' + ''.join(lines[-200:]))


def run_suite(tally, name, build, suite):
    listing = subprocess.run(['meson', 'introspect', '--tests', build], capture_output=True, text=True, check=True)
    tests = [t for t in json.loads(listing.stdout) if any(s.split(':')[-1] == suite for s in t['suite'])]
    if not tests:
        tally.failed.append(f'{name}: no tests in suite {suite} of {build}')
    for test in tests:
        run(tally, f'{name}/{test["name"]}', test['cmd'], test['timeout'] * 3, test['env'], test['workdir'] or build)


def run_step(tally, step):
    name, what = step.split('=', 1)
    start = time.monotonic()
    say(f'== {name}\n')
    if what.startswith('!'):
        run(tally, name, shlex.split(what[1:]), None)
    else:
        run_suite(tally, name, *what.rsplit(':', 1))
    say(f'== {name}: {tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped '
        f'({time.monotonic() - start:.0f} s)\n')


def work(steps):
    """On a thread of its own: steps, as long as there are more. What goes wrong in the runner itself is a failure, too."""
    while True:
        try:
            step, tally = steps.get_nowait()
        except queue.Empty:
            return
        try:
            run_step(tally, step)
        except Exception as e:  # whatever it is
            tally.failed.append(f'the runner of {step}: {type(e).__name__}: {e}')


def main():
    tallies, steps, begin = [], queue.SimpleQueue(), time.monotonic()
    for step in sys.argv[1:]:
        tallies.append(Tally())
        steps.put((step, tallies[-1]))
    at_once = min(2 * len(os.sched_getaffinity(0)), AT_ONCE_MAX)
    threads = [threading.Thread(target=work, args=(steps,)) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(f'== all steps took {time.monotonic() - begin:.0f} s\n')
    for tally in tallies:
        for line in tally.skipped:
            print(f'skipped: {line}')
    for tally in tallies:
        for line in tally.failed:
            print(f'FAILED: {line}')
    passed, failed, skipped = (sum(n) for n in zip(*((t.passed, len(t.failed), len(t.skipped)) for t in tallies)))
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())

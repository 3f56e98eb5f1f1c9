#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Look at the pages of `gdbvm checkpoints report` in a headless Chromium.

usage: tests/browser/run.py --build DIR [NAME...]     tests whose names contain a NAME; all if none is given

Prints TAP. The pages, and pictures of them, stay in DIR/browser.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import traceback

from browser import Browser

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(os.path.dirname(HERE), "samples")
EVIL = ("</script><script>window.broken = 1</script><img src=x onerror=\"window.broken = 2\">"
        "<svg onload='window.broken = 3'>&lt;")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def check_eq(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: {got!r}, expected {expected!r}")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Place:
    """Where pages are made, and the browser that looks at them."""

    def __init__(self, build):
        self.gdbvm = os.path.abspath(os.path.join(build, "src/cmd/gdbvm"))
        self.folder = os.path.join(os.path.abspath(build), "browser")
        os.makedirs(self.folder, exist_ok=True)
        self.browser = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def report(self, name, *files):
        command = [self.gdbvm, "checkpoints", "report", "-o", self.path(name), *files]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        check_eq(done.returncode, 0, f"exit status of report: {done.stderr}")
        return self.path(name)

    def look(self, path, **how):
        self.browser.open(path, **how)
        return self.browser

    def records(self, name, records):
        with open(self.path(name), "w", encoding="ascii") as f:
            f.write('{"gdbvm":"checkpoints","version":1,"t":10.0,"epoch":1700000000.0}\n')
            f.writelines(json.dumps(record) + "\n" for record in records)
        return self.path(name)


def sample(name):
    """before.jsonl and after.jsonl are made up: they have everything that there is."""
    return os.path.join(HERE, name)


def write(seq, t, value, **more):
    return {"seq": seq, "t": t, "vcpu": 0, "pc": "0xfffffe92", "port": "0x80", "size": 1, "value": hex(value),
            "mode": "exact", **more}


def texts(browser, selector):
    return browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(node => node.textContent)")


def phases(browser):
    return texts(browser, "#timeline .phase text")


def middle(browser, selector, text):
    """Where the first element is that matches and has that text in it."""
    return browser.run(f"""(() => {{
        const nodes = [...document.querySelectorAll({json.dumps(selector)})];
        const node = nodes.find(n => n.textContent.includes({json.dumps(text)}));
        node.scrollIntoView({{ block: "nearest" }});
        const box = node.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
    }})()""")


def tip(browser):
    return browser.run("document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText")


def check_quiet(browser, path):
    check_eq(browser.complaints(), [], "complaints of the browser")
    check_eq(browser.requests(), ["file://" + path], "what it asked for")


def rows(browser):
    return browser.run("[...document.querySelectorAll('#scroller tbody tr[data-index]')].map(tr => tr.innerText)")


@test
def a_boot_is_a_timeline_with_what_is_known_of_each_checkpoint(place):
    path = place.report("one.html", sample("before.jsonl"))
    browser = place.look(path)
    check_eq(browser.run("document.title"), "before.jsonl \u2013 checkpoints", "title")
    check("EXTRACT_KERNEL" in phases(browser), f"phases have their names: {phases(browser)}")
    check_eq(texts(browser, "#timeline .lane-name"), ["vCPU 0", "vCPU 1", "Console"], "lanes")
    check(any(text.startswith("Loading driver") for text in texts(browser, ".line text")), "the console is there")
    check_eq(tip(browser), "", "tip before anything is pointed at")
    browser.mouse("mouseMoved", *middle(browser, "#timeline .phase", "START_KERNEL"))
    for word in ("START_KERNEL", "0xd2", "683.532 ms", "101.1 ms", "0xffffffff82a00e41", "init/main.c:913"):
        check(word in tip(browser), f"the tip has {word}: {tip(browser)!r}")
    browser.screenshot(place.path("one.png"))
    check_quiet(browser, path)


@test
def keys_go_from_checkpoint_to_checkpoint(place):
    browser = place.look(place.report("keys.html", sample("before.jsonl")))
    browser.run("document.getElementById('timeline').focus()")
    browser.key("ArrowRight")
    check("16BIT_MODE" in tip(browser), f"the first one: {tip(browser)!r}")
    browser.key("ArrowRight")
    check("32BIT_MODE" in tip(browser) and "Real16ToFlat32.asm:52" in tip(browser), f"the next one: {tip(browser)!r}")
    check("32BIT_MODE" in texts(browser, "tr[aria-selected=true]")[0], "its row is chosen, too")
    browser.key("Enter")
    check("32BIT_MODE" in phases(browser), f"it is wide enough for its name: {phases(browser)}")
    browser.key("End")
    browser.key("ArrowDown")
    check("AP_ONLINE" in tip(browser), f"the lane below: {tip(browser)!r}")
    browser.key("0")
    browser.key("Escape")
    check_eq(tip(browser), "", "tip after Escape")
    check("EXTRACT_KERNEL" in phases(browser), "all is seen again")


@test
def zoom_shows_what_was_too_narrow(place):
    browser = place.look(place.report("zoom.html", sample("before.jsonl")))
    check("SEC_FOUND" not in phases(browser), "it is narrow")
    browser.click(*middle(browser, "#scale-even", ""))
    check("SEC_" in " ".join(phases(browser)), f"evenly spaced it is not: {phases(browser)}")
    browser.click(*middle(browser, "#scale-time", ""))
    browser.click(*middle(browser, "tr[data-index]", "SEC_FOUND"))
    check("SEC_FOUND" in phases(browser), f"its row brings it into view: {phases(browser)}")
    check_eq(browser.complaints(), [], "complaints of the browser")


@test
def two_boots_are_compared(place):
    path = place.report("two.html", sample("before.jsonl"), sample("after.jsonl"))
    browser = place.look(path)
    check_eq(texts(browser, ".lane-boot"), ["A", "B"] * 3, "lanes")
    check(len(browser.run("document.querySelector('.join').getAttribute('d')")) > 20, "the same checkpoints are joined")
    check_eq("".join(texts(browser, "tr[data-index] td:first-child")), "~+", "marks of what differs")
    browser.mouse("mouseMoved", *middle(browser, "#timeline .phase", "EXTRACT_KERNEL"))
    check("(+170.0 ms)" in tip(browser), f"the difference is told: {tip(browser)!r}")
    check("EXTRACT_KERNEL" in texts(browser, "#rankings li")[0], "it is the largest")
    browser.screenshot(place.path("two.png"))
    place.look(path, dark=True)
    browser.click(*middle(browser, "#scale-even", ""))
    check(browser.run("document.querySelectorAll('.badge').length") >= 2, "differences have badges")
    check_eq(browser.run("getComputedStyle(document.documentElement).backgroundColor"), "rgb(14, 17, 20)", "background")
    browser.screenshot(place.path("two-dark.png"))
    check_quiet(browser, path)


@test
def recorded_boots_are_compared(place):
    """Those of the picture in the README."""
    path = place.report("linux.html", *(os.path.join(SAMPLES, name) for name in ("before.jsonl", "after.jsonl")))
    browser = place.look(path)
    check_eq(len(rows(browser)), 12, "what is in both")
    check("CONSOLE" in texts(browser, "#rankings li")[0], "the console takes the time")
    check_eq([text[1:9] for text in texts(browser, ".verdict")], ["matched:"] * 2, "verdicts")
    browser.screenshot(place.path("linux.png"))
    check_quiet(browser, path)


@test
def the_table_is_filtered_and_sorted(place):
    browser = place.look(place.report("table.html", sample("before.jsonl"), sample("after.jsonl")))
    everything = len(rows(browser))
    browser.run("document.getElementById('filter').focus()")
    browser.type("start_kernel")
    check_eq(len(rows(browser)), 2, "rows with the word")
    browser.type(" main.c")
    check_eq(len(rows(browser)), 1, "rows with both words")
    browser.run("(f => { f.value = ''; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    check_eq(len(rows(browser)), everything, "rows without a filter")
    browser.click(*middle(browser, "th button", "B \u2212 A"))
    check("EXTRACT_KERNEL" in rows(browser)[0], f"the largest difference is first: {rows(browser)[0]}")
    browser.click(*middle(browser, "#tables button", "B"))
    check(any("SecCoreStartup" in row for row in rows(browser)), "the records of a boot are there, too")


@test
def what_a_guest_wrote_runs_nowhere(place):
    t = iter(range(11, 100))
    records = [write(1, next(t), 1, name=EVIL, source=EVIL), write(2, next(t), 2, noise=EVIL, name=EVIL),
               write(3, next(t), 3, broken=EVIL, first=1, name=EVIL, fields={EVIL: EVIL}),
               {"seq": 4, "t": next(t), "vcpu": 0, "port": "0x402", "text": EVIL}, write(5, next(t), 4),
               {"t": next(t), "mark": "verdict", "verdict": "ended", "text": EVIL}]
    for name in (EVIL.replace("/", "") + ".jsonl", "evil.jsonl"):
        place.records(name, records)
        path = place.report("evil.html", place.path(name), sample("before.jsonl"))
        browser = place.look(path)
        browser.run("document.getElementById('timeline').focus()")
        for _ in range(2):
            browser.key("ArrowRight")
            check(EVIL in tip(browser), f"it is told as text: {tip(browser)!r}")
        browser.run("document.getElementById('show-noise').click()")
        for tab in ("A", "B"):
            browser.click(*middle(browser, "#tables button", tab))
        check_eq(browser.run("String(window.broken)"), "undefined", "what its script would have set")
        check_eq(browser.run("[document.scripts.length, document.images.length]"), [2, 0], "scripts and images")
        check_quiet(browser, path)
    browser.run("""(script => {
        script.textContent = 'window.broken = 4';
        document.body.append(script);
    })(document.createElement('script'))""")
    check_eq(browser.run("String(window.broken)"), "undefined", "what a script sets that got in all the same")


@test
def a_hundred_thousand_records_are_drawn_together(place):
    n = 100000
    place.records("many.jsonl", (write(i, round(11 + i / n, 9), i % 251, vcpu=i % 4) for i in range(1, n + 1)))
    path = place.report("many.html", place.path("many.jsonl"))
    started = time.monotonic()
    browser = place.look(path)
    print(f"# 100,000 records: {time.monotonic() - started:.1f} s to the first picture")
    count = browser.run("document.querySelectorAll('#timeline *').length")
    check(50 < count < 6000, f"{count} elements in the timeline")
    check(len(rows(browser)) < 100, f"{len(rows(browser))} rows of the table are there at once")
    browser.mouse("mouseMoved", *middle(browser, "#timeline .cluster", ""))
    check("checkpoints" in tip(browser) and "\u00d7" in tip(browser), f"a cluster is summed up: {tip(browser)!r}")
    browser.run("document.getElementById('scroller').scrollTop = 1e9")
    browser.frame()
    check("100000" in rows(browser)[-1], f"the last row: {rows(browser)[-1]!r}")
    browser.screenshot(place.path("many.png"))
    check_quiet(browser, path)


@test
def the_verdict_comes_first(place):
    why = "stalled after checkpoint 1 0x16: nothing more for 5 s\nvCPU 0: 64-bit, rip=0x10"
    stalled = place.records("stalled.jsonl", [write(1, 11, 0x16), {"t": 16, "mark": "verdict", "verdict": "stalled",
                                                                 "text": why}])
    matched = place.records("matched.jsonl", [write(1, 11, 0x16), {"t": 11.5, "mark": "verdict", "verdict": "matched",
                                                                 "text": "matched: a.txt is met"}])
    path = place.report("verdict.html", stalled)
    browser = place.look(path)
    check_eq(browser.run("document.querySelector('.verdict.minus').innerText"), why, "the verdict")
    check_eq(texts(browser, "#timeline .mark text"), ["stalled"], "its place in the timeline")
    check("Complete" not in browser.run("document.getElementById('facts').innerText"), "nothing is missing")
    browser.screenshot(place.path("verdict.png"))
    check_quiet(browser, path)
    browser = place.look(place.report("verdicts.html", matched, stalled))
    check_eq(texts(browser, ".verdict .chip"), ["A", "B"], "whose verdict it is")
    check_eq(browser.run("document.querySelectorAll('.verdict.plus').length"), 1, "one is good")
    widths = browser.run("[...document.querySelectorAll('#timeline .phase .body')].map(node => node.getBBox().width)")
    check(widths[0] * 5 < widths[1], f"a boot is drawn as long as it is: {widths}")
    browser.screenshot(place.path("verdicts.png"))


@test
def a_boot_without_records_is_a_page(place):
    path = place.report("empty.html", place.records("empty.jsonl", []))
    check_quiet(place.look(path), path)
    path = place.report("marks.html", place.records("marks.jsonl", [{"t": 11, "mark": "lost", "count": 3}]))
    browser = place.look(path)
    check("3 records are lost" in browser.run("document.getElementById('facts').innerText"), "what is missing is said")
    check_quiet(browser, path)
    torn = place.records("torn.jsonl", [write(1, 11, 1), write(2, 11.00004842, 2)])
    with open(torn, "a", encoding="ascii") as f:
        f.write('{"seq":')
    browser = place.look(place.report("torn.html", place.path("marks.jsonl"), torn), width=1100)
    facts = browser.run("document.getElementById('facts').innerText")
    check("A: 3 records are lost, B: the file ends early" in facts, f"it is said of which boot: {facts}")
    wide = browser.run("[...document.querySelectorAll('.fact')].filter(fact => fact.scrollWidth > fact.clientWidth).length")
    check_eq(wide, 0, "facts that are wider than their boxes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    tests = [t for t in TESTS if not options.names or any(name in t.__name__ for name in options.names)]
    place, failed = Place(options.build), 0
    print(f"1..{len(tests)}", flush=True)
    for number, function in enumerate(tests, 1):
        started = time.monotonic()
        try:
            if not place.browser:
                place.browser = Browser()
            function(place)
            print(f"ok {number} - {function.__name__} # {time.monotonic() - started:.1f} s", flush=True)
        except Exception as e:  # of the test or of the browser
            failed += 1
            print(f"not ok {number} - {function.__name__}", flush=True)
            print("\n".join(f"# {line}" for line in [str(e), *traceback.format_exc().splitlines()[-6:]]), flush=True)
            if place.browser:
                place.browser.close()
                place.browser = None
    if place.browser:
        place.browser.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: LGPL-2.1-or-later
"""A headless Chromium, driven through the pipes of its DevTools protocol."""
import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

# Without its sandbox, which not every container lets it make: it sees our own pages only.
ARGUMENTS = [
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--no-first-run", "--no-default-browser-check",
    "--disable-gpu", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en-US",
]


class Failure(Exception):
    """What a browser should have done, and did not."""


class Browser:
    """One page. `limit`: seconds that anything may take."""

    def __init__(self, limit=180):
        program = shutil.which("chromium")
        if not program:
            raise Failure("there is no chromium: tools/install-packages check installs it")
        self.limit, self.number, self.events, self.rest = limit, 0, [], b""
        self.home = tempfile.mkdtemp(prefix="gdbvm-browser-")
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()

        def give_pipes():  # as descriptors 3 and 4, which either of them may have been
            high = os.dup2(to_browser, 50, False), os.dup2(from_browser, 51, False)
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.log = open(os.path.join(self.home, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [program, *ARGUMENTS, f"--user-data-dir={self.home}"], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, close_fds=False, preexec_fn=give_pipes, start_new_session=True,
            env={**os.environ, "HOME": self.home, "XDG_RUNTIME_DIR": self.home})
        os.close(to_browser)
        os.close(from_browser)
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")  # it takes its own processes with it, and writes no more
            self.process.wait(self.limit)
        except (Failure, OSError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.read)
        os.close(self.write)
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the protocol: objects that end with a zero byte ----

    def message(self, deadline):
        while b"\0" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.read], [], [], left)[0]:
                raise Failure(f"the browser does not answer within {self.limit} s")
            data = os.read(self.read, 1 << 20)
            if not data:
                self.log.seek(0)
                raise Failure(f"the browser ended: {self.log.read()[-2000:]}")
            self.rest += data
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        deadline = time.monotonic() + self.limit
        while True:
            answer = self.message(deadline)
            if answer.get("id") == self.number:
                break
            if "method" in answer:
                self.events.append(answer)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_event(self, method):
        deadline = time.monotonic() + self.limit
        while not any(event["method"] == method for event in self.events):
            self.events.append(self.message(deadline))

    def params(self, method):
        return [event["params"] for event in self.events if event["method"] == method]

    # ---- what a person does and sees ----

    def open(self, path, width=1280, height=900, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])
        self.events = []
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        self.wait_event("Page.loadEventFired")
        self.frame()

    def run(self, expression):
        """The value of an expression, once it is there if it is a promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure(f"{expression}: {result['exceptionDetails'].get('exception', {}).get('description')}")
        return result["result"].get("value")

    def frame(self):
        """What was asked for is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self.frame()

    def click(self, x, y):
        self.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def key(self, key):
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.frame()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.frame()

    def screenshot(self, path, whole=True):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def complaints(self):
        """Errors of scripts, and what the browser refused to do."""
        thrown = [p["exceptionDetails"] for p in self.params("Runtime.exceptionThrown")]
        return [e.get("exception", {}).get("description") or e["text"] for e in thrown] + \
            [p["entry"]["text"] for p in self.params("Log.entryAdded")]

    def requests(self):
        return [p["request"]["url"] for p in self.params("Network.requestWillBeSent")]

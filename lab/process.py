# SPDX-License-Identifier: LGPL-2.1-or-later
"""A process somewhere - on this machine or in the lab's - that one can talk to and wait for, always with a time cap."""
import os
import re
import signal
import subprocess
import threading
import time


class Timeout(Exception):
    pass


class Stream:
    """Bytes that arrive from elsewhere; readers wait for text in what has come since their mark."""

    def __init__(self, name):
        self.name = name
        self.data = bytearray()
        self.closed = False
        self.changed = threading.Condition()

    def feed(self, data):
        with self.changed:
            self.data += data
            self.changed.notify_all()

    def close(self):
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def mark(self):
        with self.changed:
            return len(self.data)

    def text(self, since=0):
        with self.changed:
            return bytes(self.data[since:]).decode("utf-8", "replace")

    def wait_for(self, pattern, timeout, since=0):
        """The match of regular expression `pattern` in what came after `since`."""
        regex = re.compile(pattern.encode())
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = regex.search(self.data, since)
                if found:
                    return found
                left = end - time.monotonic()
                if self.closed or left <= 0:
                    why = "ended" if self.closed else f"did not come in {timeout:g} s"
                    tail = bytes(self.data[since:])[-600:].decode("utf-8", "replace")
                    raise Timeout(f"{self.name}: {pattern!r} {why}; last output: {tail!r}")
                self.changed.wait(left)


class Process:
    """What host and lab processes have in common: out and err streams, and an exit status (negative: signal)."""

    def __init__(self, argv):
        self.argv = argv
        self.out = Stream(os.path.basename(argv[0]) + " stdout")
        self.err = Stream(os.path.basename(argv[0]) + " stderr")
        self.status = None
        self.ended = threading.Event()

    def finish(self, status):
        self.status = status
        self.out.close()
        self.err.close()
        self.ended.set()

    def wait(self, timeout):
        if not self.ended.wait(timeout):
            raise Timeout(f"{self.argv[0]} did not end in {timeout:g} s")
        return self.status

    def stop(self):
        """End it whatever it does: politely, then not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.ended.is_set():
                return
            self.signal(number)
            self.ended.wait(5)


class HostProcess(Process):
    def __init__(self, argv, env=None, cwd=None):
        super().__init__(argv)
        leash = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]  # whoever kills us hard does not leave it running
        self.popen = subprocess.Popen(leash + argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
        readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                   for pair in ((self.popen.stdout, self.out), (self.popen.stderr, self.err))]
        for reader in readers:
            reader.start()
        threading.Thread(target=self._reap, args=(readers,), daemon=True).start()

    @staticmethod
    def _read(pipe, stream):
        while data := os.read(pipe.fileno(), 65536):
            stream.feed(data)

    def _reap(self, readers):
        status = self.popen.wait()
        for reader in readers:  # a grandchild may hold the pipes open: do not wait for ever
            reader.join(10)
        self.finish(status)

    def write(self, data):
        self.popen.stdin.write(data)
        self.popen.stdin.flush()

    def signal(self, number):
        if not self.ended.is_set():
            try:
                os.kill(self.popen.pid, number)
            except ProcessLookupError:
                pass


class Host:
    """This machine as a place to run processes."""
    name = "host"

    def spawn(self, argv, env=None, cwd=None):
        return HostProcess(argv, env, cwd)

    def gdb_address(self):
        """The value for --gdb; the port is read from gdbvm's message."""
        return "127.0.0.1:0"

    def reach(self, port):
        """The port on this machine that leads to `port` there."""
        return port

    def release(self, port):
        pass

    def stop(self):
        pass

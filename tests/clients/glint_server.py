# SPDX-License-Identifier: Apache-2.0
"""Starts `glint serve` on a free port for a test program, and stops it. Used by the tests in this folder and by
tests/integration/serve_test.py."""
import re
import signal
import subprocess
import threading


class Server:
    """A running server: .url, .log (lines of stderr so far)."""

    def __init__(self, glint, *flags):
        self.process = subprocess.Popen([glint, "serve", "--port", "0", "-t", "1", *flags], stderr=subprocess.PIPE, text=True)
        self.log = []
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if not self.ready.wait(60):
            self.process.kill()
            raise AssertionError(f"the server did not start: {self.log}")
        self.url = next(re.search(r"http\S+", line).group() for line in self.log if "listening on http" in line)

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            if line.rstrip().endswith((" is ready", " models are ready")):
                self.ready.set()
        self.ready.set()

    def stop(self, kind=signal.SIGTERM, seconds=30):
        """Exit status."""
        self.process.send_signal(kind)
        status = self.process.wait(seconds)
        self.reader.join()
        self.process.stderr.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.stop()

"""Debian's chromium without a window, over its debugging pipe: no other module is needed."""
import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile

from harness import seconds, wait_for

CHROMIUM = shutil.which("chromium")


class Browser:
    """One page. `requests` are all that it asked for, `faults` what its console and its policy complained of."""

    def __init__(self, mark_environment):
        self.home = tempfile.TemporaryDirectory(prefix="conclave-browser-", ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def arrange():  # chromium reads from 3 and writes to 4
            high = [fcntl.fcntl(theirs_in, fcntl.F_DUPFD, 20), fcntl.fcntl(theirs_out, fcntl.F_DUPFD, 20)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
             f"--user-data-dir={self.home.name}", "about:blank"],
            preexec_fn=arrange, close_fds=False, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=mark_environment | {"HOME": self.home.name})
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader, self.writer = os.fdopen(ours_in, "rb", 0), os.fdopen(ours_out, "wb", 0)
        self.left, self.number, self.session = b"", 0, None
        self.requests, self.faults = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Network", "Log"]:
            self.call(f"{domain}.enable")

    def _message(self):
        while b"\0" not in self.left:
            part = self.reader.read(1 << 16)
            assert part, "the browser has ended"
            self.left += part
        message, _, self.left = self.left.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        method, about = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.faults.append(about["exceptionDetails"].get("exception", {}).get("description", "?"))
        elif method == "Log.entryAdded" and about["entry"]["level"] == "error" and about["entry"]["source"] != "network":
            self.faults.append(about["entry"]["text"])

    def call(self, method, **params):
        self.number += 1
        body = {"id": self.number, "method": method, "params": params}
        if self.session:
            body["sessionId"] = self.session
        self.writer.write(json.dumps(body).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def value(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def wait(self, expression, deadline=10):
        return wait_for(lambda: self.value(expression), deadline, expression)

    def heap(self):
        """Bytes of JavaScript in use, garbage included."""
        return self.call("Runtime.getHeapUsage")["usedSize"]

    def look(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)  # its own processes, too
        self.process.wait(seconds(10))
        self.reader.close()
        self.writer.close()
        self.home.cleanup()

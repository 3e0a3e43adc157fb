"""A terminal of tmux: what a person sees at so many columns and rows, and the keys that they press."""
import os
import shlex
import subprocess
import uuid

import harness


class Screen:
    """One window of a tmux server of its own, which runs /bin/sh; close() ends both."""

    def __init__(self, directory, environment, columns=80, rows=24, term="screen-256color"):
        self.socket = os.path.join(directory, f"tmux-{uuid.uuid4().hex[:8]}")
        self.directory = directory
        self.environment = {**environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PS1": "$ "}
        self.tmux("new-session", "-d", "-x", columns, "-y", rows, "-c", directory,
                  f"exec env TERM={term} PS1='$ ' /bin/sh")
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("resize-window", "-x", columns, "-y", rows)
        self.runs = 0

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, *map(str, words)], text=True, capture_output=True,
                              env=self.environment, timeout=harness.seconds(10), check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def text(self, joined=False, colours=False):
        """The lines of the screen and before it; `joined`: what the terminal wrapped is one line again."""
        return self.tmux("capture-pane", "-p", "-S", "-2000", *(["-J"] if joined else []), *(["-e"] if colours else []))

    def shown(self):
        """The lines that are on the screen now."""
        return self.tmux("capture-pane", "-p").splitlines()

    def wait(self, condition, deadline=10, what=None):
        """Until condition(lines) of the screen is true. A program that draws is read in its middle, too: a line that is not
        there yet, or no number yet, is "not yet". Returns what the condition did; a failure shows the last screen."""
        seen = []

        def holds():
            seen[:] = self.shown()
            try:
                return condition(seen)
            except (IndexError, ValueError, StopIteration):
                return None
        try:
            return harness.wait_for(holds, deadline)
        except AssertionError as error:
            raise AssertionError("\n".join([f"{error}: {what or 'the screen'}", *seen])) from None

    def type(self, line):
        self.tmux("send-keys", "-l", line)

    def key(self, *names):
        self.tmux("send-keys", *names)

    def run(self, *words, deadline=20):
        """Runs a command to its end. Returns its lines, each as long as it was written."""
        self.runs += 1
        self.tmux("send-keys", "-R", "Enter")
        self.tmux("clear-history")
        end = f"END-{self.runs}-"
        self.type(f"clear; {shlex.join(map(str, words))}; echo; echo {end}$?")
        self.key("Enter")
        harness.wait_for(lambda: [line for line in self.text().splitlines() if line.startswith(end)], deadline, words)
        lines = [line.rstrip() for line in self.text(joined=True).splitlines()]
        last = next(i for i, line in enumerate(lines) if line.startswith(end))
        return lines[:last]

    def resize(self, columns, rows):
        self.tmux("resize-window", "-x", columns, "-y", rows)

    def close(self):
        subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, "kill-server"], capture_output=True, check=False,
                       timeout=harness.seconds(10))

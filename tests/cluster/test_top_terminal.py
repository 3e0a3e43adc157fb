"""`monitor --top` and a terminal that is slow, changes its size, goes away or is wanted by somebody else meanwhile."""
import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness import BIN, wait_for
from screen import Screen

SIZES = [0, 1, 2, 5, 24, 80, 500, 65535]


class Terminal:
    """The other end of the terminal of a `monitor --top`."""

    def __init__(self, cluster):
        self.end, inside = pty.openpty()
        self.name = os.ttyname(inside)
        self.resize(24, 80)

        def own():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.process = subprocess.Popen([BIN / "conclave", "monitor", "--top"], stdin=inside, stdout=inside, stderr=inside,
                                        env={**cluster.environment(), "TERM": "xterm"}, preexec_fn=own)
        os.close(inside)
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """What is there now."""
        while select.select([self.end], [], [], 0)[0]:
            try:
                self.seen = (self.seen + os.read(self.end, 1 << 16))[-10000:]
            except OSError:
                return self.seen
        return self.seen

    def echoes(self):
        return bool(termios.tcgetattr(self.end)[3] & termios.ECHO)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.end)


@pytest.fixture(name="terminal")
def open_terminal(cluster):
    cluster.wait_healthy()
    terminal = Terminal(cluster)
    try:
        wait_for(lambda: b"NODE" in terminal.read(), what="it has drawn")
        yield terminal
    finally:
        terminal.close()


def test_a_storm_of_sizes_on_a_slow_terminal_is_survived(terminal):
    """A size that changed while the terminal was written to was taken for a failed write: the end, with 1."""
    chance = random.Random(1)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        terminal.resize(chance.choice(SIZES), chance.choice(SIZES))
        terminal.process.send_signal(signal.SIGWINCH)
        os.write(terminal.end, bytes([chance.choice(b"hjk?sSrn\x1b[A\r \t/:\0\xff\x7f0123456789gGux")]))
        if select.select([terminal.end], [], [], 0.001)[0]:
            os.read(terminal.end, 4096)  # a part: most waits
        assert terminal.process.poll() is None, terminal.read()[-200:]
    terminal.resize(24, 80)
    os.write(terminal.end, b"q")
    wait_for(lambda: terminal.read() and terminal.process.poll() is not None)
    assert terminal.process.returncode == 0 and terminal.echoes()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_the_terminal_is_given_back_whatever_ends_it(terminal, number):
    """After Ctrl-\\ the shell had no echo and no cursor."""
    assert not terminal.echoes()
    terminal.process.send_signal(number)
    wait_for(lambda: terminal.read() and terminal.process.poll() is not None)
    assert terminal.process.returncode in (0, -number) and terminal.echoes()
    assert b"\x1b[?1049l" in terminal.read()[-2000:] and terminal.seen.rindex(b"\x1b[?1049l") > terminal.seen.rindex(b"NODE")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_terminal_that_nobody_reads_keeps_no_signal_away(terminal, number):
    """It waited for room for what was left of the screen, and then for the words that give the screen back."""
    inside = os.open(terminal.name, os.O_WRONLY | os.O_NOCTTY)
    try:
        terminal.resize(500, 500)

        def full():
            terminal.process.send_signal(signal.SIGWINCH)  # it draws anew
            return not select.select([], [inside], [], 0)[1]
        wait_for(full, 30, what="it is full")
        terminal.process.send_signal(number)
        wait_for(lambda: terminal.process.poll() is not None, 4, what="its end")
        assert terminal.process.returncode in (0, -number) and terminal.echoes()
    finally:
        os.close(inside)


def test_a_terminal_that_goes_away_ends_it(terminal):
    process = terminal.process
    os.close(terminal.end)
    terminal.end = os.open("/dev/null", os.O_RDONLY)
    wait_for(lambda: process.poll() is not None, 5)


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(cluster, tmp_path):
    cluster.wait_healthy()
    window = Screen(tmp_path, {**cluster.environment(), "PATH": f"{BIN}:{os.environ['PATH']}"})
    try:
        window.type("set -m; conclave monitor --top; echo ENDED-$?")
        window.key("Enter")
        window.wait(lambda lines: any("NODE" in line for line in lines) and not any("set -m" in line for line in lines), what="its screen")
        window.key("C-z")
        window.wait(lambda lines: any("set -m" in line for line in lines) and not any("NODE" in line for line in lines), what="the shell's")
        window.type("fg")
        window.key("Enter")
        window.wait(lambda lines: any("NODE" in line for line in lines) and not any("set -m" in line for line in lines), what="its own again")
        window.key("q")
        window.wait(lambda lines: any("set -m" in line for line in lines), what="the end")
    finally:
        window.close()

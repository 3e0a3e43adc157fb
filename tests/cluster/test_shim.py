"""The libraries of tests/shim that tell a node what its disk does and what time it is, loaded into a small program."""
import os
import subprocess
import sys
import time

import pytest

import harness
from harness import wait_for

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))

from shims import read_counts, tell  # noqa: E402

pytestmark = pytest.mark.skipif(harness.SANITIZED, reason="sanitizers want to be loaded first")

# Obeys lines, each an expression, and answers each with a line; what fails is answered by its errno.
PROGRAM = """
import os, sys, time
open_ = lambda path: os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
for line in sys.stdin:
    try:
        print(eval(line), flush=True)
    except OSError as error:
        print(os.strerror(error.errno), flush=True)
"""
IO_ERROR, NO_SPACE = os.strerror(5), os.strerror(28)


class Program:
    """The small program with the shims in it, a bad disk and a wrong clock."""

    def __init__(self, directory):
        self.dir, self.disk, self.clock = directory, directory / "disk", directory / "clock"
        self.counted = directory / "counts"
        (directory / "bad").mkdir(exist_ok=True)
        (directory / "sound").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"LD_PRELOAD": f"{harness.LIB}/bad_disk.so:{harness.LIB}/jump_clock.so",
                 "BAD_DISK": str(self.disk), "BAD_DISK_COUNTS": str(self.counted),
                 "JUMP_CLOCK": str(self.clock), "JUMP_CLOCK_COUNTS": f"{self.counted}.clock"})

    def start(self, expression):
        self.process.stdin.write(f"{expression}\n")
        self.process.stdin.flush()

    def answer(self):
        return self.process.stdout.readline().strip()

    def ask(self, expression):
        self.start(expression)
        return self.answer()

    def open(self, name):
        """A descriptor of a file below the directory."""
        return int(self.ask(f"open_({str(self.dir / name)!r})"))

    def bad(self, text):
        """KIND [NUMBER] for all files in "bad"; "": the disk is sound again."""
        kind, _, number = text.partition(" ")
        tell(self.disk, f"{kind} {self.dir}/bad/ {number}\n" if kind else "")

    def counts(self):
        return {name: n for name, n in read_counts(self.counted).items() if n}

    def close(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def program(tmp_path):
    it = Program(tmp_path)
    yield it
    it.close()


def test_a_sound_disk_and_a_right_clock_change_nothing(program):
    fd = program.open("bad/file")
    assert program.ask(f"os.write({fd}, b'12345678')") == "8"
    assert program.ask(f"os.fsync({fd})") == "None"
    assert abs(float(program.ask("time.time()")) - time.time()) < 60
    assert program.counts() == {}


@pytest.mark.parametrize("kind, call, error", [
    ("fail_sync", "os.fsync({})", IO_ERROR), ("fail_sync", "os.fdatasync({})", IO_ERROR),
    ("full", "os.write({}, b'12345678')", NO_SPACE), ("full", "os.pwrite({}, b'12345678', 4096)", NO_SPACE),
    ("fail_write", "os.write({}, b'12345678')", IO_ERROR), ("fail_write", "os.pwrite({}, b'12345678', 0)", IO_ERROR),
    ("fail_write", "os.writev({}, [b'1234', b'5678'])", IO_ERROR),
    ("short_write", "os.write({}, b'12345678')", "4"), ("short_write", "os.pwrite({}, b'12345678', 0)", "4"),
    ("short_write", "os.writev({}, [b'123', b'45678'])", "3")])
def test_calls_fail_while_the_file_says_so_and_only_below_the_prefix(program, kind, call, error):
    bad, sound = program.open("bad/file"), program.open("sound/file")
    assert program.ask(call.format(bad)) in ("None", "8")
    program.bad(kind)
    assert program.ask(call.format(sound)) in ("None", "8")
    if kind == "full":  # what it has written already has its room
        program.ask(f"os.ftruncate({bad}, 0)")
    assert program.ask(call.format(bad)) == error
    assert program.counts() == {kind: 1}
    program.bad("")
    assert program.ask(call.format(bad)) in ("None", "8")
    assert program.counts() == {kind: 1}


def test_a_full_disk_takes_no_new_file_and_lets_old_room_be_written(program):
    fd = program.open("bad/file")
    assert program.ask(f"os.posix_fallocate({fd}, 0, 8192)") == "None"
    program.bad("full")
    assert program.ask(f"os.pwrite({fd}, b'12345678', 4096)") == "8"
    assert program.ask(f"open_({str(program.dir / 'bad/new')!r})") == NO_SPACE
    assert program.ask(f"open_({str(program.dir / 'bad/file')!r}) > {fd}") == "True"
    assert program.ask(f"open_({str(program.dir / 'sound/new')!r}) > {fd}") == "True"
    assert program.counts() == {"full": 1}


def test_a_slow_disk_takes_its_time(program):
    fd = program.open("bad/file")
    program.bad("slow_sync 120")
    began = time.monotonic()
    assert program.ask(f"os.fsync({fd})") == "None"
    assert time.monotonic() - began >= 0.12
    assert program.counts() == {"slow_sync": 1}


def test_a_hanging_disk_ends_nothing_until_it_is_sound(program):
    fd = program.open("bad/file")
    program.bad("hang_sync")
    program.start(f"os.fsync({fd})")
    wait_for(lambda: program.counts() == {"hang_sync": 1}, 5, "the call hangs")
    program.bad("")
    assert program.answer() == "None"


def test_each_so_many_th_call_fails_and_counts_go_on_in_the_next_life(program):
    fd = program.open("bad/file")
    program.bad("fail_sync 3")
    assert [program.ask(f"os.fsync({fd})") for _ in range(6)] == ["None", "None", IO_ERROR] * 2
    assert program.counts() == {"fail_sync": 2}
    program.close()
    again = Program(program.dir)
    try:
        fd = again.open("bad/file")
        assert [again.ask(f"os.fsync({fd})") for _ in range(3)] == ["None", "None", IO_ERROR]
        assert again.counts() == {"fail_sync": 3}
    finally:
        again.close()


@pytest.mark.parametrize("offset", [3600_500, -3600_500])
def test_a_wall_clock_jumps_and_the_monotonic_clock_does_not(program, offset):
    before = float(program.ask("time.monotonic()"))
    tell(program.clock, f"{offset}\n")
    assert abs(float(program.ask("time.time()")) - time.time() - offset / 1000) < 60
    assert 0 <= float(program.ask("time.monotonic()")) - before < 60
    assert read_counts(f"{program.counted}.clock")["jumped"] >= 1
    tell(program.clock, "0\n")
    assert abs(float(program.ask("time.time()")) - time.time()) < 60


def test_what_the_program_starts_has_a_sound_disk(program):
    program.bad("fail_sync")
    code = f"import os; os.fsync(os.open({str(program.dir / 'bad/file')!r}, os.O_RDWR | os.O_CREAT))"
    assert program.ask(f"__import__('subprocess').call(['/usr/bin/python3', '-c', {code!r}])") == "0"

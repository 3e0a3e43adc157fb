"""The control group by which tests/chaos limits the memory of processes that run."""
import os
import subprocess
import sys

import pytest

import harness

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))

import memory  # noqa: E402

WHY_NOT = memory.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
MIB = 1 << 20
# Takes so many MiB when it is told to, and says so.
PROGRAM = "import sys\nfor line in sys.stdin:\n    taken = b'x' * (int(line) << 20)\n    print(len(taken), flush=True)\n"


def test_who_takes_more_than_its_limit_is_killed_and_nothing_is_left():
    group = memory.Group(f"conclave-test-{os.getpid()}")
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        group.limit(16 * MIB)
        group.add(program.pid)
        program.stdin.write("4\n")
        program.stdin.flush()
        assert program.stdout.readline() == f"{4 * MIB}\n"
        assert group.counts()["killed"] == 0
        program.stdin.write("64\n")
        program.stdin.flush()
        assert program.stdout.readline() == ""
        assert program.wait(5) == -9
        counts = group.counts()
        assert counts["met"] > 0 and counts["killed"] > 0
    finally:
        program.kill()
        program.communicate()
        group.close()
    assert not group.dir.exists()


def test_who_is_still_alive_goes_back_to_where_it_came_from():
    group = memory.Group(f"conclave-test-{os.getpid()}")
    program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        group.add(program.pid)
        group.close()
        assert str(program.pid) in (group.own / "cgroup.procs").read_text().split()
    finally:
        program.kill()
        program.communicate()

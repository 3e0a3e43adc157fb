"""make demo, as it is shown: both acts, the second with a coordinator killed in mid-job."""
import os
import re
import subprocess

import harness
from harness import OK, seconds


def test_the_demonstration_shows_both_acts_and_leaves_nothing(tmp_path):
    mark = f"demo-{os.getpid()}"
    env = harness.clean_environment(mark, CONCLAVE_BIN=str(harness.BIN), TMPDIR=str(tmp_path))
    try:
        done = subprocess.run(["bash", str(harness.ROOT / "tests/tools/demo.sh")],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env,
                              timeout=seconds(110), check=False)
    finally:
        left = harness.marked_pids(mark)
        harness.end_marked(mark)
    story = done.stdout + done.stderr
    assert done.returncode == OK, story
    assert not left and not list(tmp_path.iterdir())
    # The first act: an election, and 10! in four operations.
    assert "is coordinator of term" in story and "10!=3628800" in story
    for operation in ("R1=10*9*8*7", "R2=6*5*4*3", "R3=2*1", "R4=R1*R2*R3"):
        assert operation in story
    # The second: a kill, another coordinator, and a job that does not begin again.
    assert re.search(r"\$ kill -9 \d+", story)
    elected = [int(term) for term in re.findall(r"elected .* is coordinator of term (\d+)", story)]
    assert elected and min(elected) > 1
    resumed = re.search(r"job_resumed .*: (\d+) of (\d+) operations are done", story)
    assert resumed and 0 < int(resumed[1]) < int(resumed[2])
    operations = re.findall(r"(\d+) of (\d+) done, (\d+) executed", story)[-1]
    assert operations[0] == operations[1] == resumed[2]
    assert int(operations[0]) <= int(operations[2])
    # Done again: a checkpoint interval's work and what was on its way, no more.
    counted = int(re.search(r"heartbeats count (\d+)", story)[1])
    assert int(operations[1]) <= counted <= 1.5 * int(operations[1])

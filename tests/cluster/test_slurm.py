"""packaging/slurm.sh with doubles of Slurm's commands (tests/packaging/slurm): three nodes, all of them this machine."""
import pathlib
import shutil
import subprocess
import time

import pytest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT, DOUBLES = ROOT / "packaging/slurm.sh", ROOT / "tests/packaging/slurm"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say():
    scripts = [SCRIPT, *DOUBLES.iterdir(), *ROOT.glob("packaging/debian/*.sh"), ROOT / "tests/tools/axe.sh"]
    done = subprocess.run(["shellcheck", "-x", *map(str, scripts)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(name="slurm")
def a_slurm(tmp_path):
    ports = harness.Ports(3, 1)
    (tmp_path / "local").mkdir()
    (tmp_path / "shared").mkdir()
    environment = harness.clean_environment(
        PATH=f"{DOUBLES}:{harness.BIN}:/usr/bin:/bin", SLURM_JOB_ID="17", SLURM_JOB_NODELIST="x", CONCLAVE_PORT=str(ports.base),
        CONCLAVE_SHARED=str(tmp_path / "shared"), CONCLAVE_LOCAL=str(tmp_path / "local"))

    def run(*command, meanwhile=None, given=""):
        """`meanwhile` gets the process, which writes to a file, once the command has written something."""
        with open(tmp_path / "out", "w+", encoding="utf-8") as out, open(tmp_path / "errors", "w+", encoding="utf-8") as errors:
            with subprocess.Popen(["bash", str(SCRIPT), *command], env=environment, stdin=subprocess.PIPE, stdout=out, stderr=errors,
                                  text=True, cwd=tmp_path) as process:
                process.stdin.write(given)
                process.stdin.close()
                if meanwhile:
                    harness.wait_for((tmp_path / "out").read_text, 60, "the command has begun")
                    meanwhile(process)
                process.wait(harness.seconds(60))
        left = [it for directory in ("local", "shared") for it in (tmp_path / directory).iterdir()]
        return process.returncode, (tmp_path / "out").read_text(), (tmp_path / "errors").read_text(), left
    yield run
    ports.release()


def test_a_command_has_a_cluster_for_itself(slurm):
    code, out, errors, left = slurm("conclave", "submit", "factorial", "10")
    assert (code, out) == (0, "10!=3628800\n"), errors
    assert not left, "with the job all data go"


def test_its_end_is_the_commands_end(slurm):
    code, _, errors, left = slurm("sh", "-c", "conclave status >&2; exit 9")
    assert code == 9 and "3 of 3" in errors and not left, errors
    assert slurm()[0] != 0 and "usage" in slurm()[2]


def test_a_signal_ends_the_command_and_leaves_nothing(slurm):
    """It was acted on when the command had ended by itself: Slurm kills after half a minute, and keys and data stayed."""
    began = []

    def end(process):
        began.append(time.monotonic())
        process.terminate()
    code, out, errors, left = slurm("sh", "-c", "echo begun; exec sleep 50", meanwhile=end)
    assert (code, out) == (143, "begun\n") and not left, errors
    assert time.monotonic() - began[0] < harness.seconds(20)


def test_keys_of_a_cluster_that_did_not_start_do_not_stay(slurm, tmp_path):
    """A second try of the same job (a requeue) finds them, and keys that exist are not made again."""
    (tmp_path / "shared/conclave-17").mkdir()
    (tmp_path / "shared/conclave-17/cluster.json").write_text("left by a job that was killed", encoding="ascii")
    (tmp_path / "shared/conclave-17/access.json").write_text("{}", encoding="ascii")
    code, _, errors, left = slurm("true")
    assert code != 0 and not left, errors
    assert slurm("true")[0] == 0


def test_the_command_reads_what_the_script_is_given(slurm):
    assert slurm("cat", given="some input\n")[:2] == (0, "some input\n")

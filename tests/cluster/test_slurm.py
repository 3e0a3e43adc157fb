"""packaging/slurm.sh with doubles of Slurm's commands (tests/packaging/slurm): three nodes, all of them this machine."""
import pathlib
import shutil
import subprocess

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

    def run(*command):
        done = subprocess.run(["bash", str(SCRIPT), *command], env=environment, capture_output=True, text=True, check=False,
                              timeout=harness.seconds(60), cwd=tmp_path)
        left = [it for directory in ("local", "shared") for it in (tmp_path / directory).iterdir()]
        return done.returncode, done.stdout, done.stderr, left
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

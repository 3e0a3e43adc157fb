"""The examples of docs/clients.md print what stands there; the client's types and packing hold."""
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "clients/python/src"))
from conclave import packing, sign  # noqa: E402

PAGE = (ROOT / "docs/clients.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- python -->\n```python\n(.*?)```\n\n```\n(.*?)```", PAGE, re.S)

CLUSTER = {"nodes": 3, "slots": 2}


@pytest.mark.parametrize("number", range(3))
def test_the_examples_of_the_page(cluster, tmp_path, number):
    assert len(EXAMPLES) == 3
    program, printed = EXAMPLES[number]
    (tmp_path / "example.py").write_text(program, encoding="utf-8")
    env = cluster.environment(PYTHONPATH=str(ROOT / "clients/python/src"))
    done = subprocess.run([sys.executable, "-B", tmp_path / "example.py"], env=env, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


@pytest.mark.parametrize("name", ["example.c", "map.c"])
def test_the_page_shows_the_example_that_is_compiled(name):
    shown = re.search(rf"<!-- {name} -->\n```c\n(.*?)```", PAGE, re.S).group(1)
    assert shown == (ROOT / "clients/library/example" / name).read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("mypy"), reason="mypy is not installed")
def test_types():
    done = subprocess.run(["mypy", "--cache-dir=/dev/null"], cwd=ROOT / "clients/python", capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout


def test_the_wheel_has_the_whole_package(tmp_path):
    """Built as a user would, without a network, and imported from where it was unpacked."""
    pytest.importorskip("build")
    pytest.importorskip("wheel")
    shutil.copytree(ROOT / "clients/python", tmp_path / "tree", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    done = subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, "."],
                          cwd=tmp_path / "tree", capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    wheel, = tmp_path.glob("conclave-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
        names = {name for name in packed.namelist() if name.startswith("conclave/")}
    assert names == {f"conclave/{path.name}" for path in (ROOT / "clients/python/src/conclave").iterdir() if path.is_file()}
    done = subprocess.run([sys.executable, "-B", "-c", "import conclave.aio; print(conclave.__file__)"], cwd=tmp_path / "site",
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.stdout.strip() == str(tmp_path / "site/conclave/__init__.py"), done.stderr


def test_signatures_are_those_of_rfc_8032():
    """Section 7.1, tests 1 and 3; by libsodium and in Python alike."""
    for seed, message, signature in (
            ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
            ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
             "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")):
        for signer in (sign.sign, sign.sign_in_python):
            assert signer(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature


def test_content_is_cut_as_the_command_line_cuts_it():
    parts = [packing.part(bytes(10000)) for _ in range(20)]
    content = packing.content_of_parts("tasks", parts)
    assert [segment.items for segment in content.segments] == [4] * 5
    assert sum(segment.len for segment in content.segments) == len(content.data) == 20 * 10004
    long = packing.content_of_bytes(bytes((8 << 20) + 5))
    assert [(s.offset, s.len, s.items) for s in long.segments] == [(0, 8 << 20, 1), (8 << 20, 5, 1)]


def test_bytes_that_are_no_rows_are_refused():
    row = bytes([1, 1, 1, 2, 1, 0, 0, 0, 5, 6, 7, 8, 0, 0]) + packing.part(b"") * 5
    (numbers, task, bundle), = packing.rows(packing.part(row))
    assert (task.task, task.state, task.node, bundle, numbers["count"]) == (1, "done", 2, None, 1)
    whole = packing.part(row)
    for cut in range(1, len(whole)):
        with pytest.raises(packing.Damaged):
            list(packing.rows(whole[:cut]))
    for at in range(len(row)):
        bad = packing.part(row[:at] + b"\xff" + row[at + 1:])
        try:
            list(packing.rows(bad))
        except packing.Damaged:
            pass

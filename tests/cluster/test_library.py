"""libconclave: its examples and more, compiled against what `make install` puts there, linked both ways, on a real cluster."""
import json
import random
import re
import shlex
import subprocess

import pytest

from harness import BIN, ROOT, SANITIZED, clean_environment
from lying import WRONG, start_liar  # noqa: F401  pylint: disable=unused-import

pytestmark = pytest.mark.skipif(SANITIZED, reason="the library is linked with the programs' sanitizers")
EXAMPLES = ROOT / "clients/library/example"
LIB = BIN.parent / "lib"


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          **more)

CLUSTER = {"nodes": 3}


@pytest.fixture(scope="module", name="installed")
def install(tmp_path_factory):
    """The library's part of an installation, and what pkg-config says of it."""
    root = tmp_path_factory.mktemp("installed")
    compiler = (BIN.parent / "flags").read_text().split(" -I")[0]
    # As it was built, so that nothing is built again under other tests.
    done = run("make", "-C", ROOT, "--no-print-directory", "install-lib", f"prefix={root}", "DESTDIR=",
               f"B={BIN.parent.relative_to(ROOT)}", f"CC={compiler}")
    assert done.returncode == 0, done.stderr
    env = clean_environment(PKG_CONFIG_PATH=str(root / "lib/pkgconfig"))

    def flags(*options):
        return shlex.split(run("pkg-config", *options, "conclave", env=env).stdout)
    return root, flags


def build(source, installed, directory, static=False):
    """Compiles a program with the library; returns it and what it needs in its environment."""
    root, flags = installed
    program = directory / source.stem
    if static:  # the library alone: the others are shared, as programs have them
        words = [word if word != "-lconclave" else "-l:libconclave.a" for word in flags("--cflags", "--libs", "--static")]
    else:
        words = flags("--cflags", "--libs")
    done = run("cc", "-Wall", "-Wextra", "-Werror", "-std=c99", source, "-o", program, *words, "-pthread")
    assert done.returncode == 0, done.stderr
    return program, {} if static else {"LD_LIBRARY_PATH": str(root / "lib")}


@pytest.mark.parametrize("static", [False, True])
def test_the_example_runs(cluster, installed, tmp_path, static):
    program, more = build(EXAMPLES / "example.c", installed, tmp_path, static)
    env = cluster.environment(**more)
    done = run(program, 20, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2432902008176640000\ncolour red\n", "")
    if not static:
        assert "libconclave.so.0" in run("readelf", "-d", program).stdout
    done = run(program, "x", env=env)
    assert done.returncode == 2 and done.stderr.startswith("example: usage: ")
    done = run(program, 5, env=env | {"CONCLAVE_BROKER": "127.0.0.1:1"})
    assert done.returncode == 3 and done.stderr.startswith("example: unreachable: no broker answers")


@pytest.mark.parametrize("static", [False, True])
def test_the_example_of_commands_runs(cluster, installed, tmp_path, static):
    program, more = build(EXAMPLES / "map.c", installed, tmp_path, static)
    env = cluster.environment(**more)
    done = run(program, "echo {} | tr a-z A-Z", "one", "two", env=env)
    assert (done.returncode, done.stdout) == (0, "ONE\nTWO\n"), done.stderr
    assert sorted(done.stderr.splitlines()) == ["task 1 of 2: done (exit 0)", "task 2 of 2: done (exit 0)"]
    done = run(program, "head -c 300000 /dev/zero | tr '\\0' {}", "x", env=env)
    assert (done.returncode, done.stdout) == (0, "x" * 300000), done.stderr
    done = run(program, "exit {}", "0", "3", env=env)
    assert done.returncode == 1 and "task 2 of 2: failed (exit 3)" in done.stderr and "map: failed: job " in done.stderr, done.stderr
    done = run(program, "true", env=env)
    assert done.returncode == 2 and done.stderr == "map: usage: there are no inputs, and so no tasks\n"


def test_what_the_examples_do_not_show(make_cluster, installed, tmp_path):
    program, more = build(ROOT / "tests/cluster/library_calls.c", installed, tmp_path)
    cluster = make_cluster()
    cluster.start()
    cluster.wait_healthy()
    (tmp_path / "data").write_text("something", encoding="ascii")
    done = run(program, env=cluster.environment(**more), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["waited", "read 9131 digits", "refused", "ran commands", "left", "3 nodes"]


def test_values_lists_and_quotas(make_cluster, installed, tmp_path):
    program, more = build(ROOT / "tests/cluster/library_lists.c", installed, tmp_path)
    cluster = make_cluster()
    cluster.start()
    cluster.wait_healthy()
    (tmp_path / "data").write_bytes(random.Random(1).randbytes(3000000))
    done = run(program, env=cluster.environment(**more), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *said, row = done.stdout.splitlines()
    assert said == ["kept bytes", "kept a file", "used values", "listed jobs", "ran tasks again", "forgot jobs"]
    keys = cluster.json("quota")["keys"]
    assert [row] == [" ".join(str(value) for value in key.values()) for key in keys]


def test_what_is_not_usual(cluster, installed, tmp_path):
    """A connection that was closed before its feed waited for ever, and so did a child after fork() and who looked without waiting."""
    program, more = build(ROOT / "tests/cluster/library_trouble.c", installed, tmp_path)
    cluster.wait_healthy()
    done = run(program, env=cluster.environment(**more))
    assert (done.returncode, done.stdout, done.stderr) == (0, "all is well\n", "")


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_a_broker_that_lies_is_survived(installed, tmp_path, liar, number):
    address, answers = liar
    answers[:] = [WRONG[number]]
    program, more = build(ROOT / "tests/cluster/library_trouble.c", installed, tmp_path)
    done = run(program, "liar", env=clean_environment(CONCLAVE_INSECURE="1", CONCLAVE_BROKER=address, **more))
    assert done.returncode == 0 and done.stdout.endswith(" errors\n") and not done.stderr, (done.returncode, done.stderr)


def test_accounts_snapshots_nodes_and_operators(make_cluster, installed, tmp_path):
    program, more = build(ROOT / "tests/cluster/library_keeps.c", installed, tmp_path)
    cluster = make_cluster()
    cluster.start()
    cluster.wait_healthy()
    (tmp_path / "merge.sh").write_text("#!/bin/sh\nsort -m \"$@\"\n", encoding="ascii")
    (tmp_path / "merge.sh").chmod(0o755)
    cluster.ok("op", "add", "merge", tmp_path / "merge.sh")
    kept = tmp_path / "kept"
    done = run(program, kept, env=cluster.environment(**more), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    moved, listed, took, nodes, operator = done.stdout.splitlines()
    assert (moved, listed, nodes) == ("moved", "listed 210 accounts", "3 nodes, for a key of role admin")
    assert operator.startswith("operator merge of ") and operator.endswith("is value:...")
    # What the program kept is what the command line reads.
    kept_is, there = (json.loads(cluster.ok("snapshot", "verify", "--json", "--total", 511, of)) for of in (kept, took.split()[1]))
    assert kept_is["is_consistent"] and kept_is["money"] == there["money"] and kept_is["snapshot_id"] == took.split()[1]


def test_the_header_is_cxx_too(tmp_path, installed):
    (tmp_path / "x.c").write_text("#include <conclave.h>\n#include <conclave.h>\n", encoding="ascii")
    for language in ("c", "c++"):
        done = run("cc", "-x", language, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *installed[1]("--cflags"), tmp_path / "x.c")
        if "cc1plus" not in done.stderr:
            assert done.returncode == 0, done.stderr


def test_the_manual_page_has_every_function():
    """Declared as in the header."""
    def declared(text):
        return {" ".join(one.split()).replace("( ", "(") for one in text.split(";") if re.search(r"\bconclave_\w+\(", one)}
    header = re.sub(r"/\*.*?\*/|^#.*?$|^struct \w+ \{.*?^\};$", "", (ROOT / "clients/library/conclave.h").read_text(), flags=re.S | re.M)
    said = {one.partition("CONCLAVE_API ")[2] for one in declared(header)}
    page = (ROOT / "clients/library/conclave.3").read_text().partition("#include <conclave.h>")[2].partition("\ncc ")[0]
    assert declared(page) == said and len(said) > 50


def test_nothing_but_the_header_s_functions_is_visible():
    said = {word.partition("(")[0] for line in (ROOT / "clients/library/conclave.h").read_text().splitlines()
            if line.startswith("CONCLAVE_API") for word in line.replace("*", " ").split() if "(" in word}
    shared = run("nm", "-D", "--defined-only", LIB / "libconclave.so").stdout.split("\n")
    names = {line.split()[2] for line in shared if " T " in line}
    assert names == {f"{name}@@CONCLAVE_0.1" for name in said}
    assert [line for line in shared if line and " T " not in line] == ["0000000000000000 A CONCLAVE_0.1"]
    static = run("nm", "--defined-only", "--extern-only", LIB / "libconclave.a").stdout.split("\n")
    assert {line.split()[2] for line in static if len(line.split()) == 3} == said
    assert "libconclave.so.0" in run("readelf", "-d", LIB / "libconclave.so").stdout

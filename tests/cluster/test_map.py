"""`conclave map --dry-run` and `conclave op check`: what needs no cluster."""
import json
import os
import pty
import resource
import subprocess

import pytest

from harness import FAILED, OK, USAGE, seconds

CONCLAVE = os.environ["CONCLAVE_BIN"] + "/conclave"


@pytest.fixture(name="run")
def fixture_run(tmp_path):
    """Runs conclave in a directory of its own, without a terminal and without inputs."""
    def run(*words, code=OK, stdin="", env=None):
        done = subprocess.run([CONCLAVE, *map(os.fspath, words)], cwd=tmp_path, text=True, check=False,
                              capture_output=True, input=stdin, timeout=seconds(30),
                              env={**os.environ, **(env or {})})
        assert done.returncode == code, done.stderr
        if code:
            assert not done.stdout and done.stderr.startswith("conclave: ")
            assert len(done.stderr.splitlines()) == 1, done.stderr
            return done.stderr
        return done.stdout
    return run


def test_what_dry_run_prints_a_shell_reads_as_it_was(run, tmp_path):
    inputs = ["a", "b c", "it's", "x\ny", "", "-rf", "$(touch evil)", "`touch evil`", "ä", "~", "#", "\\", "*"]
    printed = run("map", "--dry-run", "printf", r"[%s]\n", "{}", ":::", *inputs)
    assert len(printed.splitlines()) == len(inputs)
    said = subprocess.run(["bash", "-c", printed], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said == "".join(f"[{it}]\n" for it in inputs)
    lines = run("map", "--json", "--dry-run", "--sh", r"printf '[%s]\n' {} \"$(printf %s {})\" {.}", ":::", *inputs)
    for line, it in zip(lines.splitlines(), inputs):
        task = json.loads(line)
        assert task["inputs"] == [it] and task["command"][:2] == ["/bin/sh", "-c"]
        said = subprocess.run(task["command"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert said.startswith(f"[{it}]\n")
    assert not list(tmp_path.iterdir())


def test_inputs_come_from_words_lines_tables_numbers_files_and_stdin(run, tmp_path):
    (tmp_path / "list").write_text("a b\n\n#c")
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfname,rate\r\n\"x, y.bin\",\"1\"\r\nz,2")
    (tmp_path / "data").mkdir()
    for name in ("2.csv", "1.csv", "10.csv"):
        (tmp_path / "data" / name).write_text(name)
    for words, stdin, expected in [
            ("echo {2}{1} ::: a b ::: 1 2", "", "echo 1a|echo 2a|echo 1b|echo 2b"),
            ("--link echo {2}{1} ::: a b ::: 1 2", "", "echo 1a|echo 2b"),
            ("echo :::: list", "", "echo 'a b'|echo ''|echo '#c'"),
            ("echo :::: - ::: x", "a\nb\n", "echo a x|echo b x"),
            ("echo", "a\nb", "echo a|echo b"),
            ("--csv t.csv -- run {rate} {name.}", "", "run 1 'x, y'|run 2 z"),
            ("run {rate} --csv t.csv", "", "run 1|run 2"),
            ("--array 1-9:4 run {#}:{}", "", "run 1:1|run 2:5|run 3:9"),
            ("--files data/*.csv -- ./x {} {/.}", "",
             "./x data/1.csv 1|./x data/10.csv 10|./x data/2.csv 2"),
            ("--stdin wc -l ::: a", "", "wc -l"),
            ("-u --tag --env HOME --retries 2 --time-limit never --max-fails 10% --dir out echo ::: a", "", "echo a")]:
        assert run("map", "--dry-run", *words.split(), stdin=stdin).splitlines() == expected.split("|"), words


@pytest.mark.parametrize("words, what", [
    ("map --dry-run", "a command is needed"),
    ("map --dry-run ::: a", "a command is needed"),
    ("map --dry-run --sh x y ::: a", "--sh has the whole command"),
    ("map --dry-run --csv x --array 1-2 echo", "not from both"),
    ("map --dry-run --array 1-2 echo ::: a", "not from both"),
    ("map --dry-run --link echo ::: a", "--link"),
    ("map --dry-run --link echo ::: a b ::: c", "source 1 has 2 inputs, source 2 has 1"),
    ("map --dry-run --files nothing* -- echo", "nothing matches 'nothing*'"),
    ("map --dry-run --array 5-1 echo", "1-50:2"),
    ("map --dry-run echo :::: missing", "missing"),
    ("map --dry-run --at-most-once --retries 1 echo ::: a", "--at-most-once"),
    ("map --dry-run --max-fails 0 echo ::: a", "--max-fails"),
    ("map --dry-run --env NOT_SET_ANYWHERE echo ::: a", "NOT_SET_ANYWHERE is not set here"),
    ("map --dry-run --env CONCLAVE_TASK=1 echo ::: a", "--env"),
    ("map --dry-run --collect ../x echo ::: a", "--collect"),
    ("map --dry-run --retries 101 echo ::: a", "from 0 to 100"),
    ("map --dry-run --time-limit 1 echo ::: a", "or never"),
    ("map --dry-run --max-output 1025MiB echo ::: a", "--max-output"),
    ("map --dry-run --slots 0 echo ::: a", "--slots"),
    ("map --dry-run --no-wait --dir x echo ::: a", "--dir"),
    ("map --dry-run --no-wait -u echo ::: a", "-u"),
    ("map --dry-run --retires 1 echo ::: a", "did you mean --retries?"),
    ("mpa --dry-run echo ::: a", "did you mean `conclave map`?"),
    ("op check merge no-such b", "no-such: No such file"),
    ("op check ./merge a", "two or more files"),
    ("op check ./merge a b", "./merge cannot be executed"),
])
def test_a_slip_is_one_clear_line(run, words, what):
    assert what in run(*words.split(), code=USAGE)


def test_an_input_in_quotes_of_a_shell_is_refused(run):
    assert "stands within quotes" in run("map", "--dry-run", "--sh", 'gzip "{}"', ":::", "a", code=USAGE)


def test_a_terminal_is_no_input():
    master, slave = pty.openpty()
    try:
        done = subprocess.run([CONCLAVE, "map", "--dry-run", "echo"], stdin=slave, capture_output=True, text=True,
                              timeout=seconds(10), check=False)
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == USAGE and not done.stdout
    assert "there are no inputs" in done.stderr and len(done.stderr.splitlines()) == 1


def test_what_a_task_finds_in_its_environment_is_no_option(run):
    env = {"CONCLAVE_DIR": "elsewhere", "CONCLAVE_ENV": "x", "CONCLAVE_KEY": "y"}
    assert run("map", "--dry-run", "echo", ":::", "a", env=env) == "echo a\n"


def test_a_million_inputs_take_no_memory(tmp_path):
    """Its address space is bounded to what the program alone needs, and 64 MiB."""
    def bound():
        resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))
    with open(tmp_path / "out", "wb") as out, subprocess.Popen(["seq", "1000000"], stdout=subprocess.PIPE) as seq:
        subprocess.run([CONCLAVE, "map", "--dry-run", "echo", "{}", "{#}"], stdin=seq.stdout, stdout=out,
                       preexec_fn=bound if not os.environ.get("CONCLAVE_SANITIZE") else None, check=True,
                       timeout=seconds(60))
    with open(tmp_path / "out", "rb") as out:
        lines = out.read().splitlines()
    assert len(lines) == 1000000 and lines[-1] == b"echo 1000000 1000000"


def write_program(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def test_an_operator_gives_the_same_in_every_shape(run, tmp_path):
    for name in "abcde":
        (tmp_path / name).write_text(name + "\n")
    write_program(tmp_path / "merge.sh", 'sort -m "$@"\n')
    assert run("op", "check", "./merge.sh", *"badec") == "6 shapes, one result of 10 bytes\n"
    told = json.loads(run("op", "check", "--json", "./merge.sh", *"abc"))
    assert told["equal"] and [row["bytes"] for row in told["shapes"]] == [6] * 6
    assert len({row["sha256"] for row in told["shapes"]}) == 1
    # Not associative; and not the same every time.
    write_program(tmp_path / "bad.sh", 'cat "$@"; echo x\n')
    why = run("op", "check", "./bad.sh", *"abcd", code=FAILED)
    assert "differ: from the left" in why and "from the right" in why and "from byte 5, line 3" in why
    write_program(tmp_path / "other.sh", 'cat "$@"; echo $$\n')
    assert "the same once more" in run("op", "check", "./other.sh", *"ab", code=FAILED)


def test_an_operator_that_fails_or_hangs_is_named(run, tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    write_program(tmp_path / "fail.sh", "exit 3\n")
    assert "./fail.sh a b: exit code 3" in run("op", "check", "./fail.sh", "a", "b", code=FAILED)
    write_program(tmp_path / "hang.sh", "sleep 1000 & sleep 1000\n")
    why = run("op", "check", "--time-limit", "200ms", "./hang.sh", "a", "b", code=FAILED)
    assert "./hang.sh a b: longer than --time-limit" in why
    write_program(tmp_path / "killed.sh", "kill -9 $$\n")
    assert "ended by signal 9" in run("op", "check", "./killed.sh", "a", "b", code=FAILED)

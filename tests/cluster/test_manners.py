"""What a command line of its field does: each slip that was found once, and its whole kind."""
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time

import pytest

import harness
import screen
from harness import FAILED, NOT_FOUND, OK, TIMEOUT, UNREACHABLE, USAGE, seconds

CLUSTER = {"nodes": 3, "slots": 1}
LONG = "a_very_long_name_of_something_that_somebody_has_made"


@pytest.fixture(scope="module")
def furnished(cluster, tmp_path_factory):
    """The cluster with long names and ids in all its tables."""
    where = tmp_path_factory.mktemp("furnished")
    program = where / "merge.sh"
    program.write_text("#!/bin/sh\ncat \"$@\"\n")
    program.chmod(0o755)
    file = where / (LONG + ".txt")
    file.write_text("15\n21\n77\n" + "123456789" * 40 + "\n")
    cluster.ok("submit", "factorial", 3000)
    cluster.ok("submit", "binomial", "1000000000", "3")
    cluster.ok("submit", "product", f"@{file}")
    cluster.map = cluster.ok("map", "--no-wait", "--name", LONG, "--sh", f"echo {LONG} {{}} >&2; exit 3", ":::",
                             *(f"{LONG}/{n}" for n in range(3))).strip()
    assert cluster.conclave("job", "wait", cluster.map).returncode == FAILED
    cluster.gcd = cluster.json("submit", "--no-wait", "batch-gcd", f"@{file}")["id"]
    cluster.ok("job", "wait", cluster.gcd)
    cluster.ok("op", "add", LONG[:32], program)
    cluster.ok("bank", "deposit", f"{LONG}@2", 10**15)
    cluster.ok("kv", "put", LONG, "x" * 200)
    cluster.snapshot = cluster.ok("snapshot", "take").strip()
    cluster.ok("progress", "set", 1, 2**40)
    return cluster


TABLES = ["status", "job list", "job list --limit 2", "job show {map}", "job tasks {map}", "job explain {map}", "value list", "op list",
          f"op show {LONG[:32]}", "bank list", "kv list", "snapshot list", "snapshot show {snapshot}", "quota", "keys list", "kinds",
          "help", "help map", "help up", "help submit", "help job", "monitor --count 8", "monitor --top --count 2", "job wait {gcd}",
          "snapshot verify {snapshot}", "progress snap", "job log --limit 0 {map}", f"kv get {LONG}"]
PROSE = ("job log", "kv get")  # one long line is what was asked for


def words_of(cluster, line):
    return line.format(map=cluster.map, snapshot=cluster.snapshot, gcd=cluster.gcd).split()


def test_a_terminal_of_80_columns_shows_every_table_unwrapped(furnished):
    window = screen.Screen(str(furnished.dir), furnished.environment(PATH=f"{harness.BIN}:{os.environ['PATH']}"))
    try:
        for line in TABLES:
            if line.startswith(PROSE):
                continue
            lines = window.run("conclave", *words_of(furnished, line))
            assert any(lines), line
            long = [shown for shown in lines if len(shown) > 80 and "$ " not in shown]
            assert not long, (line, long)
        assert any(len(shown) > 80 for shown in window.run("conclave", "job", "list", "--wide"))
    finally:
        window.close()


def test_every_list_takes_a_limit(furnished):
    commands = re.findall(r"^  ((?:\w+ )?list) ", furnished.ok("help"), re.MULTILINE)
    lists = [f"{family} list" for family in ("job", "value", "op", "snapshot", "bank", "kv", "keys")]
    assert {f"  {name} " for name in lists} >= {f"  {name} " for name in commands}
    furnished.ok("kv", "put", "another", "y")
    furnished.ok("value", "put", __file__)
    for command in lists:
        words = [*command.split(), *(["--dir", furnished.locks.dir] if command == "keys list" else [])]
        whole, cut = (furnished.json(*words, *limit) for limit in ([], ["--limit", 1]))
        if command == "bank list":
            whole, cut = ([name for node in found["nodes"] for name in node["accounts"]] for found in (whole, cut))
        assert len(cut) == 1 <= len(whole) and cut[0] in whole, command
        done = furnished.conclave(*words, "--limit", "0")
        assert done.returncode == USAGE and "--limit" in done.stderr, command


def test_several_names_are_each_done_and_the_first_failure_is_the_code(furnished, tmp_path):
    program = tmp_path / "fold.sh"
    program.write_text("#!/bin/sh\ncat \"$@\"\n", encoding="ascii")
    program.chmod(0o755)
    for name in ("one", "two"):
        furnished.ok("op", "add", name, program)
        furnished.ok("bank", "deposit", f"{name}@1", 5)
        furnished.ok("keys", "add", name, "--role", "monitor", "--dir", furnished.locks.dir)
    for words, printed in ((("op", "rm", "one", "none", "two"), "one is removed\ntwo is removed\n"),
                           (("bank", "balance", "one@1", "none@1", "two@1"), "5\n5\n"),
                           (("keys", "revoke", "--dir", furnished.locks.dir, "one", "none", "two"),
                            "one no longer has a key\ntwo no longer has a key\n")):
        done = furnished.conclave(*words)
        assert (done.returncode, done.stdout) == (NOT_FOUND, printed) and "none" in done.stderr, words
    lines = furnished.ok("bank", "balance", "one@1", "two@1", "--json").splitlines()
    assert [json.loads(line)["account"] for line in lines] == ["one", "two"]


COMPLETIONS = [("conclave-node", "--snapshot-k", "--snapshot-keep"), ("conclave-broker", "--quo", "--quota-rate")]
IN_SHELLS = {  # what the shell offers after the program's name and the begin of an option
    "bash": "source {script}; compopt() {{ :; }}; COMP_WORDS=({program} {begun}) COMP_CWORD=1\n"
            "$(complete -p {program} | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); echo ${{COMPREPLY[*]}}",
    "zsh": "_describe() {{ print -rl -- ${{(P)3}}; }}; compdef() {{ run=$1; }}; source {script}\n"
           "words=({program} {begun}) CURRENT=2 PREFIX={begun}; $run | grep -e '^{begun}'",
    "fish": "source {script}; complete -C '{program} {begun}'"}


@pytest.mark.parametrize("shell", IN_SHELLS)
@pytest.mark.parametrize("program, begun, option", COMPLETIONS)
def test_options_of_the_daemons_are_completed(tmp_path, shell, program, begun, option):
    def run(*words):
        return subprocess.run(words, capture_output=True, text=True, timeout=seconds(20), stdin=subprocess.DEVNULL, check=False,
                              env=os.environ | {"HOME": str(tmp_path)})
    script = tmp_path / "script"
    script.write_text(run(harness.BIN / program, "--completion", shell).stdout, encoding="utf-8")
    told = re.findall(r"^  --([\w-]+)", run(harness.BIN / program, "--help").stdout, re.MULTILINE)
    dashes = " -l " if shell == "fish" else "--"
    assert option[2:] in told and all(f"{dashes}{name}" in script.read_text(encoding="utf-8") for name in told)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = run(shell, *(["--no-config"] if shell == "fish" else ["-f"] if shell == "zsh" else ["--norc"]), "-c",
               IN_SHELLS[shell].format(script=script, program=program, begun=begun))
    assert done.stdout.startswith(option) and len(done.stdout.split("\n")) == 2, done


COMMANDS_IN_SHELLS = {  # the same for the command line's commands
    "bash": "source {script}; compopt() {{ :; }}; COMP_WORDS=({split}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _conclave\n"
            "printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    "zsh": "_describe() {{ print -rl -- ${{(P)2}}; }}; _files() {{ :; }}; compdef() {{ :; }}; source {script}\n"
           "words=({line}) CURRENT=$#words; PREFIX=$words[-1]; _conclave | grep -e \"^$PREFIX\" | cut -d : -f 1",
    "fish": "source {script}; complete -C '{line}' | cut -f 1"}


@pytest.mark.parametrize("shell", COMMANDS_IN_SHELLS)
@pytest.mark.parametrize("line, offered", [
    ("conclave stat", ["status"]), ("conclave --dir X stat", ["status"]), ("conclave --dir=X stat", ["status"]),
    ("conclave --broker tcp://127.0.0.1:7000 stat", ["status"]), ("conclave --broker=tcp://127.0.0.1:7000,[::1]:7010 stat", ["status"]),
    ("conclave --json --access A --timeout 5s job li", ["list"]), ("conclave job --broker A li", ["list"]),
    ("conclave job --output A resu", ["result"]), ("conclave --dir job stat", ["status"]),
    ("conclave submit --key K facto", ["factorial"]), ("conclave --dir X submit --insecure facto", ["factorial"]),
    ("conclave --dir stat", []), ("conclave job --broker li", []), ("conclave submit --output facto", [])])
def test_values_of_options_are_no_words_of_the_command(tmp_path, shell, line, offered):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_bytes(subprocess.run([harness.BIN / "conclave", "completion", shell], capture_output=True, timeout=20,
                                                     check=True).stdout)
    split = " ".join(shlex.quote(word) for word in re.findall(r"[=:]+|[^ =:]+", line))
    quoted = line if shell == "fish" else " ".join(map(shlex.quote, line.split()))
    done = subprocess.run([shell, *(["--no-config"] if shell == "fish" else ["-f"] if shell == "zsh" else ["--norc"]), "-c",
                           COMMANDS_IN_SHELLS[shell].format(script=tmp_path / "script", line=quoted, split=split)], cwd=tmp_path,
                          capture_output=True, text=True, timeout=seconds(20), stdin=subprocess.DEVNULL, check=False,
                          env=os.environ | {"HOME": str(tmp_path)})
    assert (done.stdout.split(), done.stderr) == (offered, "")


def test_an_option_takes_a_value_in_all_commands_or_in_none():
    script = subprocess.run([harness.BIN / "conclave", "completion", "bash"], capture_output=True, text=True, timeout=20, check=True).stdout
    words = {word for options in re.findall(r"options='([^']*)'", script) for word in options.split()}
    assert len(words) > 50 and not [word for word in words if word + "=" in words]


def test_a_shell_that_is_not_known_is_refused():
    for program, *_ in COMPLETIONS:
        done = subprocess.run([harness.BIN / program, "--completion", "tcsh"], capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (USAGE, "", f"{program}: --completion takes bash, zsh or fish\n")


def in_terminal(cluster, *words, **variables):
    """What a command writes to a terminal, byte by byte."""
    ours, theirs = pty.openpty()
    program = subprocess.Popen([str(harness.BIN / words[0]), *map(str, words[1:])], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=cluster.environment(**{"TERM": "xterm-256color", **variables}))
    os.close(theirs)
    written = []

    def read():
        try:
            while piece := os.read(ours, 65536):
                written.append(piece)
        except OSError:  # the other end is closed
            pass
    reader = threading.Thread(target=read)
    reader.start()
    program.wait(timeout=seconds(30))
    reader.join(seconds(10))
    os.close(ours)
    return b"".join(written)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}], ids=["NO_COLOR", "dumb", "no TERM"])
def test_no_escape_sequence_where_none_is_wanted(furnished, variables):
    lines = [*TABLES, "submit factorial 20000", "map sleep 0.3 ::: 1 2", "run factorial 10 --nodes 2 --port 17000"]
    for line in lines:
        written = in_terminal(furnished, "conclave", *words_of(furnished, line), **variables)
        assert written and b"\x1b" not in written, (line, written)


def test_no_escape_sequence_in_a_pipe_and_colour_on_a_terminal(furnished):
    for line in TABLES:
        done = furnished.conclave(*words_of(furnished, line))
        assert "\x1b" not in done.stdout + done.stderr, line
    assert b"\x1b[31mfailed" in in_terminal(furnished, "conclave", "job", "list")
    assert b"\x1b[1mcoordinator" in in_terminal(furnished, "conclave", "status")


FAILURES = [
    ("job show 9-9", NOT_FOUND, "not_found"), ("job explain 9-9", NOT_FOUND, "not_found"), ("nonsense", USAGE, "usage"),
    ("submt factorial 10", USAGE, "usage"), ("job list --limt 2", USAGE, "usage"), ("submit factorial x", USAGE, "usage"),
    ("value get value:aaaa --output x", NOT_FOUND, "not_found"), ("progress get 9", USAGE, "usage"),
    ("down --dir nowhere", NOT_FOUND, "not_found"), ("status --broker tcp://127.0.0.1:1", UNREACHABLE, "unavailable"),
    ("job wait 9-9", NOT_FOUND, "not_found"), ("map --nonsense x", USAGE, "usage"), ("up --port 0", USAGE, "usage"),
    ("submit factorial 3000000 --timeout 20ms", TIMEOUT, "timeout"), ("snapshot verify nowhere", USAGE, "usage"),
    ("op show nothing", NOT_FOUND, "not_found"), ("bank balance nobody@1", NOT_FOUND, "not_found"),
]


@pytest.mark.parametrize("line, code, name", FAILURES, ids=[row[0] for row in FAILURES])
def test_failures_under_json_are_json(cluster, line, code, name):
    done = cluster.conclave(*line.split()[:1], "--json", *line.split()[1:]) if line.startswith(("map", "nonsense", "submt")) else \
        cluster.conclave(*line.split(), "--json")
    assert done.returncode == code, done
    said = [json.loads(each) for each in done.stderr.splitlines()]
    errors = [each["error"] for each in said if "error" in each]
    assert errors and errors[-1]["code"] == name and errors[-1]["exit"] == code and errors[-1]["message"], said


def test_several_jobs_are_named_at_once(cluster):
    ids = [cluster.submit(n)["id"] for n in (3, 4, 5)]
    assert [row["id"] for row in cluster.json("job", "list", *ids[1:])] == ids[1:]
    assert [row["id"] for row in cluster.json("job", "list", "--limit", 1, *ids)] == ids[2:]
    for command in ("show", "wait", "explain"):
        lines = cluster.ok("job", command, "--json", *ids).splitlines()
        assert [json.loads(line)["id"] for line in lines] == ids
    assert cluster.ok("job", "wait", *ids) == "3!=6\n4!=24\n5!=120\n"
    missing = cluster.conclave("job", "list", ids[0], "9-9")
    assert missing.returncode == NOT_FOUND and ids[0] in missing.stdout and "9-9" in missing.stderr
    missing = cluster.conclave("job", "show", "9-9", ids[0])
    assert missing.returncode == NOT_FOUND and ids[0] in missing.stdout
    running = [cluster.ok("map", "--no-wait", "sleep", 60, ":::", n).strip() for n in (1, 2)]
    assert cluster.ok("job", "cancel", *running).count("cancelled") == 2


def test_explain_as_json_is_for_programs(cluster):
    told = json.loads(cluster.ok("job", "explain", cluster.submit(10)["id"], "--json"))
    assert told["state"] == "done" and told["operations"]["done"] == told["operations"]["total"]
    assert [each["text"] for each in told["details"]] == told["explanation"]


def test_a_file_that_is_followed_ends_with_the_timeout(cluster, tmp_path):
    jobs = tmp_path / "jobs"
    jobs.write_text("factorial 3\n")
    began = time.monotonic()
    done = cluster.conclave("submit", "--file", jobs, "--follow", "--timeout", "700ms")
    assert done.returncode == TIMEOUT and done.stdout == "3!=6\n"
    assert 0.6 < time.monotonic() - began < seconds(5)


def test_a_file_is_submitted_in_its_order(cluster, tmp_path):
    jobs = tmp_path / "jobs"
    jobs.write_text("".join(f"factorial {n}\n" for n in range(2, 302)))
    cluster.ok("submit", "--file", jobs, "--no-wait")
    specs = [int(row["spec"]) for row in cluster.json("job", "list", "--limit", 300)]
    assert specs == list(range(2, 302))


def test_list_and_show_agree_about_the_bytes_of_a_snapshot(cluster):
    taken = cluster.json("snapshot", "take")
    shown = cluster.json("snapshot", "show", taken["snapshot_id"])
    listed = [row for row in cluster.json("snapshot", "list") if row["snapshot_id"] == taken["snapshot_id"]]
    assert listed[0]["bytes"] == shown["bytes"] == taken["bytes"]


def test_top_as_json_is_json(cluster):
    lines = cluster.ok("monitor", "--top", "--json", "--count", 2).splitlines()
    tables = [json.loads(line) for line in lines]
    assert len(tables) == 2 and {row["node"] for row in tables[-1]["nodes"]} == {1, 2, 3}


@pytest.mark.parametrize("program", ["conclave", "conclave-node", "conclave-broker"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_cannot_be_written_is_a_failure(cluster, program, option):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([harness.BIN / program, option], stdout=full, stderr=subprocess.PIPE, text=True, timeout=seconds(5),
                              env=cluster.environment(), check=False)
    assert done.returncode == FAILED and "could not be written" in done.stderr


def test_no_cluster_stays_of_which_nobody_was_told(make_cluster):
    cluster = make_cluster(insecure=True)
    where, port = cluster.dir / "up", str(cluster.port)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([harness.BIN / "conclave", "up", "--detach", "--dir", where, "--port", port, "--nodes", "3", "--insecure"],
                              stdout=full, stderr=subprocess.PIPE, text=True, env=cluster.environment(), timeout=seconds(40), check=False)
    assert done.returncode == FAILED and "stopped again" in done.stderr
    assert not (where / "cluster.json").exists()
    assert cluster.conclave("down", "--dir", where).returncode == OK


def test_a_directory_of_any_bytes_is_json(make_cluster):
    cluster = make_cluster(insecure=True)
    where = os.fsencode(cluster.dir) + b"/\xff\xfe"
    command = [os.fsencode(harness.BIN / "conclave")]
    up = subprocess.run([*command, b"up", b"--detach", b"--json", b"--insecure", b"--nodes", b"3", b"--port", b"%d" % cluster.port,
                         b"--dir", where], capture_output=True, env=cluster.environment(), timeout=seconds(40), check=False)
    down = subprocess.run([*command, b"down", b"--json", b"--dir", where], capture_output=True, env=cluster.environment(),
                          timeout=seconds(20), check=False)
    assert up.returncode == OK and down.returncode == OK, (up, down)
    assert json.loads(up.stdout)["dir"].endswith("/\ufffd\ufffd") and json.loads(down.stdout)["dir"].endswith("\ufffd")


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_cluster_in_the_foreground_ends_with_the_signals_code(make_cluster, number, code):
    cluster = make_cluster(insecure=True)
    up = cluster.start_conclave("up", "--dir", cluster.dir / "up", "--nodes", 3, "--port", cluster.port, "--insecure")
    harness.wait_for(lambda: cluster.conclave("check").returncode == OK, 20)
    up.send_signal(number)
    assert up.wait(timeout=seconds(20)) == code


def test_nothing_is_called_a_failure_after_an_ordinary_down_and_up(make_cluster):
    cluster = make_cluster(insecure=True)
    options = ("up", "--detach", "--dir", cluster.dir / "up", "--nodes", 3, "--port", cluster.port, "--insecure")
    for _ in range(2):
        cluster.ok(*options, timeout=40)
        said = cluster.ok("status")
        cluster.ok("down", "--dir", cluster.dir / "up")
    assert "failures" not in said and "starts       6 of 3 nodes" in said


@pytest.mark.parametrize("host", ["::1", "[::1]", "localhost", "127.0.0.1"])
def test_names_and_ipv6_work_everywhere(make_cluster, host):
    if ":" in host and not harness.has_ipv6():
        pytest.skip("no IPv6 here")
    cluster = make_cluster(nodes=2, insecure=True, bind=host, peers=f"{host},{host}")
    for node in (1, 2):
        cluster.start_node(node)
    cluster.brokers[0] = cluster.spawn("broker0", *cluster.broker_command(0, bind=host, peers=f"{host},{host}"))
    bare = host.strip("[]")
    address = f"[{bare}]:{cluster.port}" if ":" in bare else f"{bare}:{cluster.port}"

    def done():
        return cluster.conclave("submit", "factorial", 10, broker=f"tcp://{address}").returncode == OK
    harness.wait_for(done, 20)
    assert cluster.ok("submit", "factorial", 10, broker=address) == "10!=3628800\n"
    assert len(cluster.ok("monitor", "--count", 2, broker=address).splitlines()) == 2


def test_an_explicit_timeout_allows_to_wait_for_a_coordinator(make_cluster):
    cluster = make_cluster(nodes=3, voters=3).start()
    cluster.wait_healthy()
    job = cluster.submit(10)["id"]
    for node in (1, 2):
        os.kill(cluster.nodes[node].pid, signal.SIGSTOP)
    waits = [cluster.start_conclave(*words) for words in (("job", "wait", job), ("job", "result", job, "--timeout", "60s"),
                                                           ("submit", "factorial", 10, "--timeout", "60s"))]
    try:
        gone = cluster.conclave("job", "result", job)  # without one it is 5 s
        assert gone.returncode == UNREACHABLE
        assert all(wait.poll() is None for wait in waits)
    finally:
        for node in (1, 2):
            os.kill(cluster.nodes[node].pid, signal.SIGCONT)
    assert [wait.wait(timeout=seconds(30)) for wait in waits] == [OK] * 3


def test_a_bar_fits_any_width_and_leaves_nothing(furnished):
    window = screen.Screen(str(furnished.dir), furnished.environment(PATH=f"{harness.BIN}:{os.environ['PATH']}"), columns=40)
    try:
        lines = window.run("conclave", "map", "sleep", "0.2", ":::", 1, 2, 3)
        assert len([line for line in lines if "[" in line]) == 0, lines
    finally:
        window.close()


@pytest.fixture
def top(furnished):
    """`monitor --top` on a terminal of 80x24."""
    window = screen.Screen(str(furnished.dir), furnished.environment(PATH=f"{harness.BIN}:{os.environ['PATH']}"))
    window.type("conclave monitor --top; echo ENDED-$?")
    window.key("Enter")
    window.wait(lambda lines: "coordinator: node" in lines[0] and any(" 1-" in line for line in lines), what="top")
    yield window
    window.close()


def column(lines, title):
    """The numbers below a title of the table of nodes; an error where they are not all drawn."""
    head = next(i for i, line in enumerate(lines) if title in line)
    end = lines[head].index(title) + len(title)
    return [int(lines[row][:end].split()[-1]) for row in range(head + 1, head + 4)]


def test_top_fits_its_terminal_and_follows_its_size(top):
    def fits(lines, columns, rows):
        return len(lines) == rows and max(map(len, lines)) <= columns and "coordinator: node" in lines[0] and \
            lines[-1].startswith("q quit"[:columns - 4]) and ("OPERATIONS" in "".join(lines) or columns < 60)
    for size in (80, 24), (132, 40), (60, 12), (40, 10), (80, 24):
        top.resize(*size)
        top.wait(lambda lines, size=size: fits(lines, *size), what=size)


def test_top_sorts_by_keys(top):
    def sorts(title, expected):
        top.wait(lambda lines: expected(column(lines, title)), what=title)
    sorts("NODE", lambda found: found == [1, 2, 3])
    top.key("n")
    sorts("NODE", lambda found: found == [3, 2, 1])
    top.key("o")
    sorts("OPERATIONS", lambda found: found == sorted(found, reverse=True) and len(set(found)) > 1)
    top.key("o")
    sorts("OPERATIONS", lambda found: found == sorted(found))


def test_top_opens_the_chosen_job_and_shows_new_ones(top, furnished):
    job = furnished.submit(12)["id"]
    top.wait(lambda lines: any(line.startswith(">") and f" {job} " in line for line in lines), what="the newest is chosen")
    top.key("Down")
    top.wait(lambda lines: any(line.startswith(">") and f" {job} " not in line for line in lines), what="the next one")
    top.key("Up")
    top.wait(lambda lines: any(line.startswith(">") and f" {job} " in line for line in lines), what="the newest again")
    top.key("Enter")
    top.wait(lambda lines: f"job         {job}" in lines and any("factorial 12, is done" in line for line in lines) and
             lines[-1].startswith("q back"), what="the page of the job")
    top.key("q")
    top.wait(lambda lines: lines[-1].startswith("q quit"), what="the lists again")
    top.key("q")
    top.wait(lambda lines: any(line.endswith("ENDED-0") for line in lines) and
             any("conclave monitor --top" in line for line in lines), what="the screen of before")


def test_top_has_colours_on_a_terminal_that_obeys_alone(top):
    harness.wait_for(lambda: "\x1b[1m" in top.text(colours=True), what="bold letters")

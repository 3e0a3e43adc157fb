"""What somebody trips over who types commands for the first time: each slip that was found by hand, and its kind."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess

import pytest

import harness
from harness import FAILED, NOT_FOUND, OK, TIMEOUT, USAGE, seconds

CLUSTER = {"nodes": 3, "slots": 1}
NOWHERE = {"CONCLAVE_BROKER": "", "CONCLAVE_ACCESS": ""}  # no option is given by the environment
SCRIPT = "#!/bin/sh\necho cleaned \"$1\"\n"


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """A directory with a program, as people have one."""
    where = tmp_path_factory.mktemp("work")
    (where / "clean.sh").write_text(SCRIPT, encoding="ascii")
    (where / "clean.sh").chmod(0o755)
    (where / "a.csv").write_text("1\n", encoding="ascii")
    return where


# --- finding the cluster ---

def test_a_cluster_is_found_from_below_its_directory_by_every_command(make_cluster):
    cluster = make_cluster()
    below = cluster.dir / "data" / "raw"
    below.mkdir(parents=True)

    def ok(*words, **more):
        return cluster.ok(*words, env=NOWHERE, **more)
    ok("up", "--detach", "--nodes", 3, "--port", cluster.port, "--max-result", "1G", timeout=40)
    for where in (cluster.dir, below):
        assert ok("submit", "factorial", 10, cwd=where) == "10!=3628800\n"
        assert "coordinator  node" in ok("status", cwd=where)
        assert "3628800" in ok("job", "list", cwd=where)
        assert "admin" in ok("keys", "list", cwd=where)
    ok("keys", "add", "bob", "--role", "submit", cwd=below)
    assert (cluster.dir / ".conclave/keys/bob.json").exists() and not list(below.iterdir())
    assert ok("keys", "revoke", "bob", cwd=below) == "bob no longer has a key\n"
    assert ok("down", cwd=below) == "the cluster in ../../.conclave is down\n"
    assert cluster.conclave("down", env=NOWHERE, cwd="/").stderr == "conclave: there is no cluster in .conclave\n"


def test_every_command_takes_the_directory_of_a_cluster(cluster):
    for name in ("status", "submit", "run", "map", "job list", "kv put", "bank load", "keys add", "snapshot take", "down", "web",
                 "monitor", "check", "quota", "value put", "op add", "progress snap", "init", "recover"):
        assert "  --dir DIR " in cluster.ok("help", *name.split()), name


def test_keys_init_again_leaves_where_the_brokers_are(cluster, tmp_path):
    made = tmp_path / "made"
    init = ["keys", "init", "--dir", made, "--nodes", 3]
    cluster.ok(*init, env=NOWHERE)
    access = made / "access.json"
    assert json.loads(access.read_text())["brokers"] == ["tcp://127.0.0.1:7000"]
    cluster.ok(*init, broker="tcp://10.0.0.1:7010")
    assert json.loads(access.read_text())["brokers"] == ["tcp://10.0.0.1:7010"]
    assert cluster.ok(*init, env=NOWHERE) == f"keys of 3 nodes and 1 broker are in {made}/keys; allowed.json goes with each\n"
    assert json.loads(access.read_text())["brokers"] == ["tcp://10.0.0.1:7010"]


def test_what_up_prints_can_be_pasted(make_cluster):
    cluster = make_cluster()
    said = cluster.ok("up", "--detach", "--nodes", 3, "--port", cluster.port, "--dir", "my own ü's", env=NOWHERE, timeout=40)
    exports = [line for line in said.splitlines() if line.startswith("export ")]
    assert len(exports) == 2
    for shell in filter(shutil.which, ("sh", "bash", "zsh")):
        done = subprocess.run([shell, "-c", "\n".join([*exports, f"{shlex.quote(str(harness.BIN / 'conclave'))} submit factorial 10"])],
                              capture_output=True, text=True, cwd=cluster.dir, env=cluster.environment(**NOWHERE), check=False)
        assert (done.returncode, done.stdout) == (OK, "10!=3628800\n"), done
    cluster.ok("down", "--dir", "my own ü's", env=NOWHERE)


# --- words ---

SLIPS = [
    ("--tiemout 5s check", "conclave: unknown option '--tiemout'; did you mean --timeout?"),
    ("--nodes 3 up", "conclave: unknown option '--nodes'; --help lists them"),
    ("job --tiemout 5s list", "conclave: there is no command 'job 5s'; `conclave help job` lists them"),
    ("help job list extra", "conclave: unexpected argument 'extra'"),
    ("help status extra", "conclave: unexpected argument 'extra'"),
    ("binomial 5", "conclave: there is no command 'binomial'; did you mean `conclave submit binomial`?"),
    ("submit binomial 5", "conclave: binomial takes two whole numbers, such as `binomial 10 3`; got 1 word"),
    ("keys revoke --dir nowhere", "conclave: a name is needed, such as alice"),
]


@pytest.mark.parametrize("line, said", SLIPS, ids=[row[0] for row in SLIPS])
def test_the_first_word_that_is_wrong_is_named(cluster, line, said):
    done = cluster.conclave(*line.split())
    assert (done.returncode, done.stdout, done.stderr) == (USAGE, "", said + "\n")


@pytest.mark.parametrize("line", ["", "job", "kv", "job lst", "help nothing", "help job lst"])
def test_who_asks_for_json_gets_no_pages_of_help(cluster, line):
    words = line.split()
    for told in ([*words, "--json"], ["--json", *words]):
        done = cluster.conclave(*told)
        error = json.loads(done.stderr)["error"]
        assert done.returncode == USAGE and not done.stdout and error["code"] == "usage" and error["exit"] == USAGE, (told, done)


def test_options_of_every_command_may_stand_anywhere(cluster):
    job = cluster.submit(10)["id"]
    for words in (("--json", "job", "show", job), ("job", "--json", "show", job), ("job", "show", "--json", job),
                  ("job", "show", job, "--json"), ("--timeout", "20s", "job", "--timeout", "10s", "show", "--json", "--", job)):
        assert json.loads(cluster.ok(*words))["id"] == job, words


def test_whole_numbers_are_written_as_people_write_them(cluster):
    assert cluster.ok("progress", "set", 1, "1e3") == "1000\n" and cluster.ok("progress", "get", "1") == "1000\n"
    assert cluster.ok("bank", "deposit", "rich@1", "5*10^5") == "500000\n"
    assert cluster.ok("map", "--array", "1e0-1_0:3", "echo") == "1\n4\n7\n10\n"
    assert len(cluster.json("job", "list", "--limit", "1e0")) == 1
    for words in (("progress", "set", 1, "1e"), ("bank", "deposit", "rich@1", "1e99"), ("job", "list", "--limit", "1_"),
                  ("job", "list", "--limit", "-1"), ("map", "--array", "1-1e", "echo")):
        assert cluster.conclave(*words).returncode == USAGE, words


def test_up_allows_what_its_nodes_allow(cluster, tmp_path):
    """Else it starts nodes that refuse what it was given."""
    def allowed(program, *words):
        # The last word is wrong, too: no option that takes any text starts something.
        done = subprocess.run([harness.BIN / program, *words, "--voters=zzz"], capture_output=True, text=True, cwd=tmp_path,
                              env=cluster.environment(), timeout=seconds(10), check=False)
        assert done.returncode == USAGE and not list(tmp_path.iterdir()), done
        return done.stderr.partition(": ")[2]

    def options(text):
        return set(re.findall(r"^  --([\w-]+)", text, re.MULTILINE))
    node = subprocess.run([harness.BIN / "conclave-node", "--help"], capture_output=True, text=True, check=False).stdout
    common = options(cluster.ok("help", "up")) & options(node) - {"help", "version", "nodes",
        "log-level", "durability"}  # one node may be founded alone; `up` reads the others' words later
    assert {"election-timeout", "max-result", "snapshot-every", "slots"} <= common
    for name in common:
        assert allowed("conclave", "up", f"--{name}=zzz") == allowed("conclave-node", f"--{name}=zzz"), name


STRANGE = "a\x1b[31mb\n\u009bü"
FILES = ["map --dir {}/y echo ::: 1", "submit factorial 5 --output {}/y", "submit product @{}", "submit --file {}", "value put {}",
         "down --dir {}", "status --dir {}", "status --access {}", "keys list --dir {}", "snapshot verify {}", "map --upload {} cat ::: 1",
         "map --joblog {}/y cat ::: 1", "op add m {}", "map cat :::: {}", "map --csv {} cat", "map --files {} cat", "up --dir {}/y",
         "recover --dir {}", "snapshot restore {}", "up --dir q --restore {}", "web --token-file {}/y", "{} x", "help {}", "--{} x"]


@pytest.mark.parametrize("line", FILES)
def test_a_terminal_gets_no_control_bytes_of_a_name(cluster, line):
    key = {"CONCLAVE_ACCESS": ""} if line == "status --dir {}" else {}  # else it is not looked for there
    done = cluster.conclave(*(word.format(STRANGE) for word in line.split()), env=key)
    assert done.returncode in (USAGE, NOT_FOUND) and len(done.stderr.splitlines()) == 1, done
    assert "a\\x1b[31mb\\x0a\\xc2\\x9b" in done.stderr and done.stderr.rstrip("\n").isprintable(), done


# --- what jobs are called ---

def test_jobs_are_explained_by_what_was_typed(cluster):
    job = cluster.ok("map", "--no-wait", "echo", ":::", "a", "b").strip()
    assert cluster.conclave("job", "wait", job).returncode == OK
    product = cluster.json("submit", "--no-wait", "product", "3", "4")["id"]
    cluster.ok("job", "wait", product)
    first = [cluster.ok("job", "explain", each).splitlines()[0] for each in (job, product, cluster.submit(10)["id"])]
    assert [line.split(", ", 1)[1] for line in first] == ["map echo over 2 inputs, is done", "product(2 integers), is done",
                                                         "factorial 10, is done"]
    assert "has 2 digits, conv" in cluster.ok("job", "explain", product)
    one = cluster.json("submit", "product", "5")["id"]
    assert "its result has 1 digit, converted" in cluster.ok("job", "explain", one)


def test_a_table_is_not_shown_as_digits(cluster):
    job = cluster.json("submit", "--no-wait", "batch-gcd", "15", "21")["id"]
    assert cluster.ok("job", "wait", job) == "1\t2\t3\n2\t1\t3\n"
    listed, shown = cluster.ok("job", "list", job), cluster.ok("job", "show", job)
    assert listed.splitlines()[1].endswith(" 12 bytes") and "\\x09" not in listed + shown
    assert f"\nresult      a table: `conclave job wait {job}` prints it\nbytes       12\n" in shown
    assert listed.splitlines()[0].split()[-1] == "RESULT"


def test_lines_of_the_feed_end_without_blanks(cluster):
    for line in cluster.ok("monitor", "--count", 4).splitlines():
        assert line == line.rstrip(), repr(line)


# --- map: the program is here, tasks have directories of their own ---

def test_a_program_that_does_not_go_along_is_told_before_and_after(cluster, script):
    hint = "conclave: ./clean.sh is looked for in the directory of each task; --upload ./clean.sh sends it there\n"
    done = cluster.conclave("map", "./clean.sh", ":::", "1", cwd=script)
    assert done.returncode == FAILED and done.stderr.startswith(hint), done
    job = re.search(r"(\d+-\d+): 0 of 1 done", done.stderr).group(1)
    rows = cluster.ok("job", "tasks", job).splitlines()
    assert rows[1].split()[5:] == ["error", "0.0s", "No", "such", "file", "or", "dir..."] and len(rows[1]) <= 80, rows
    told = json.loads(cluster.ok("job", "tasks", job, "--json"))
    assert told["reason"].startswith("could not start: No such file or directory")
    assert cluster.conclave("map", "--files", "*.csv", "--", "./clean.sh", "{}", cwd=script).stderr.startswith(hint)
    for words in (("--upload", "./clean.sh"), ("--upload", "clean.sh"), ("--upload", script / "clean.sh"),
                  ("--upload", f"../{script.name}/clean.sh")):
        done = cluster.conclave("map", *words, "./clean.sh", ":::", "1", cwd=script)
        assert (done.returncode, done.stdout) == (OK, "cleaned 1\n") and "looked for" not in done.stderr, done
    done = cluster.conclave("map", "--files", "*.sh", "--", "./clean.sh", "{}", cwd=script)
    assert (done.returncode, done.stdout) == (OK, "cleaned clean.sh\n") and "looked for" not in done.stderr, done


@pytest.mark.parametrize("where", ["file", "file/out", "missing/out"])
def test_a_directory_that_cannot_be_written_is_told_before_anything_runs(cluster, tmp_path, where):
    (tmp_path / "file").write_text("x", encoding="ascii")
    before = cluster.json("job", "list")
    done = cluster.conclave("map", "--dir", where, "echo", ":::", "1", cwd=tmp_path)
    assert done.returncode == USAGE and done.stderr.startswith(f"conclave: --dir: cannot write {where}: "), done
    assert len(done.stderr.splitlines()) == 1 and cluster.json("job", "list") == before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_for_outputs_is_made(cluster, tmp_path):
    for where, said in (("out", "1 file is written to out, 0 were there"), ("out/", "0 files are written to out/, 1 were there"),
                        (tmp_path / "deep", "1 file is written")):
        done = cluster.conclave("map", "--dir", where, "echo", ":::", "1", cwd=tmp_path)
        assert done.returncode == OK and said in done.stderr, done


# --- descriptors that are closed ---

def closed(cluster, descriptor, *words):
    """The command line is started without that descriptor, as `>&-` does."""
    return subprocess.run(["sh", "-c", f'exec "$@" {descriptor}', "sh", str(harness.BIN / words[0]), *map(str, words[1:])],
                          capture_output=True, text=True, timeout=seconds(30), env=cluster.environment(), cwd=cluster.dir, check=False)


def test_a_closed_stdin_is_no_socket(cluster):
    for words in (("map", "cat"), ("submit", "product", "@-"), ("submit", "--file", "-"), ("value", "put", "-")):
        done = closed(cluster, "<&-", "conclave", *words)
        assert done.returncode == USAGE and "Bad file descriptor" in done.stderr and not done.stdout, (words, done)
    assert closed(cluster, "<&-", "conclave", "submit", "factorial", 10).stdout == "10!=3628800\n"


def test_a_closed_stdout_is_a_failure_and_a_closed_stderr_is_not(cluster):
    for words in (("job", "list"), ("status",), ("help",), ("monitor", "--count", 2), ("version",)):
        done = closed(cluster, ">&-", "conclave", *words)
        assert done.returncode == FAILED and "could not be written" in done.stderr, (words, done)
    assert closed(cluster, "2>&-", "conclave", "submit", "factorial", 10).stdout == "10!=3628800\n"
    assert closed(cluster, "2>&-", "conclave", "job", "show", "9-9").returncode == NOT_FOUND


def test_a_node_without_descriptors_writes_no_line_of_its_log_into_its_files(make_cluster):
    cluster = make_cluster(nodes=2)
    for node in (1, 2):
        words = [str(word) for word in cluster.node_command(node)]
        process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *words], env=cluster.environment())
        cluster.nodes[node] = process
    cluster.start_broker(0)
    cluster.wait_healthy(20)
    for process in cluster.nodes.values():
        targets = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)]
        assert targets == ["/dev/null"] * 3, targets
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"


# --- stopped, continued, interrupted ---

def test_a_waiting_command_is_stopped_continued_and_interrupted(cluster):
    job = cluster.ok("map", "--no-wait", "sleep", 2, ":::", 1).strip()
    wait = cluster.start_conclave("job", "wait", job)
    harness.wait_for(lambda: wait.poll() is None, 5)
    wait.send_signal(signal.SIGTSTP)
    harness.wait_for(lambda: harness_state(wait.pid) == "T", 5)
    wait.send_signal(signal.SIGCONT)
    assert wait.wait(timeout=seconds(20)) == OK
    job = cluster.ok("map", "--no-wait", "sleep", 60, ":::", 1).strip()
    assert cluster.conclave("job", "wait", job, "--timeout", "300ms").returncode == TIMEOUT
    wait = cluster.start_conclave("job", "wait", job)
    harness.wait_for(lambda: "SigCgt" in open(f"/proc/{wait.pid}/status", encoding="ascii").read() and catches(wait.pid, signal.SIGINT), 5)
    wait.send_signal(signal.SIGINT)
    assert wait.wait(timeout=seconds(20)) == 130
    assert cluster.json("job", "show", job)["state"] == "running"
    cluster.ok("job", "cancel", job)


def harness_state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def catches(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        mask = int(re.search(r"SigCgt:\s*(\w+)", status.read()).group(1), 16)
    return mask >> (number - 1) & 1

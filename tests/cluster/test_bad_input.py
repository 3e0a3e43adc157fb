"""Issue 2, "Bad input": each one clear line, the right exit code, nothing changed."""
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import ENVIRONMENT, NOT_FOUND, OK, TIMEOUT, UNREACHABLE, USAGE, seconds, wait_for

WORDS = [
    # command, exit code, what the line says
    ("submit factorial -1", USAGE, "-1"),
    ("submit factorial x", USAGE, "x"),
    ("submit factorial 1.5", USAGE, "1.5"),
    ("submit factorial 10 11", USAGE, "2 words"),
    ("submit factorial", USAGE, "one whole number"),
    ("submit factorial 99999999999999999999", USAGE, "too large"),
    ("submit factorial 1000000000000", USAGE, "too costly"),
    ("submit factorial 1000000000000000000", USAGE, "too costly"),
    ("submit factorial 18446744073709551615", USAGE, "too costly"),
    ("submit factorial 1e", USAGE, "'1e'"),
    ("submit factorial +5", USAGE, "+5"),
    ("submit factorial 0x10", USAGE, "0x10"),
    ("submit sqrt 2", USAGE, "sqrt"),
    ("submit", USAGE, "factorial 10"),
    ("submit factorial 10 --timeout 5", USAGE, "--timeout"),
    ("submit factorial 10 --timeout 0", USAGE, "--timeout"),
    ("submit factorial 10 --nonsense", USAGE, "--nonsense"),
    ("submit factorial 10 --key=", USAGE, "--key"),
    ("submit factorial 10 --output /nonexistent/x", USAGE, "/nonexistent/x"),
    ("submit --file nowhere", USAGE, "nowhere"),
    ("submit --file . ", USAGE, "."),
    ("submit factorial 10 --file x", USAGE, "not both"),
    ("submit factorial 10 --follow", USAGE, "--follow"),
    ("submit factorial 10 --broker nonsense://x", USAGE, "nonsense"),
    ("submit factorial 10 --broker tcp://127.0.0.1:", USAGE, "127.0.0.1"),
    ("submit factorial 10 --broker tcp://127.0.0.1:99999", USAGE, "99999"),
    ("job show", USAGE, "job"),
    ("job show x", USAGE, "x"),
    ("job show 1", USAGE, "1"),
    ("job show 1-999999", NOT_FOUND, "1-999999"),
    ("job wait 9-9", NOT_FOUND, "9-9"),
    ("job result 9-9", NOT_FOUND, "9-9"),
    ("job result 9-9 --range 1:2", NOT_FOUND, "9-9"),
    ("job result 9-9 --range 3", USAGE, "A:B"),
    ("job result 9-9 --range 3:2", USAGE, "A:B"),
    ("job result 9-9 --range x:2", USAGE, "A:B"),
    ("job result 9-9 --range 1:2:3", USAGE, "A:B"),
    ("job result 9-9 --range -1:2", USAGE, "A:B"),
    ("job result 9-9 --range 1:18446744073709551616", USAGE, "A:B"),
    ("job wait 9-9 --range 1:2", USAGE, "--range"),
    ("job cancel 9-9", NOT_FOUND, "9-9"),
    ("job explain 9-9", NOT_FOUND, "9-9"),
    ("job forget", USAGE, "--all-finished"),
    ("job forget x", USAGE, "x"),
    ("job forget 9-9", NOT_FOUND, "9-9"),
    ("job forget 9-9 --all-finished", USAGE, "--all-finished"),
    ("job forget --all-finished --older 1h", USAGE, "--older"),
    ("job forget --older 1", USAGE, "--older"),
    ("up --keep-jobs 0", USAGE, "--keep-jobs"),
    ("up --keep-jobs 100001", USAGE, "100000"),
    ("up --keep-bytes 0", USAGE, "--keep-bytes"),
    ("up --keep-bytes much", USAGE, "--keep-bytes"),
    ("up --quota-jobs 10001", USAGE, "10000"),
    ("up --quota-bytes much", USAGE, "--quota-bytes"),
    ("quota alice", USAGE, "alice"),
    ("job list --state strange", USAGE, "strange"),
    ("job nonsense", USAGE, "job nonsense"),
    ("job lst", USAGE, "job list"),
    ("submt factorial 10", USAGE, "'submt'; did you mean `conclave submit`"),
    ("factorial 10", USAGE, "did you mean `conclave submit factorial`?"),
    ("submit fctorial 10", USAGE, "'fctorial'; did you mean factorial?"),
    ("-v", USAGE, "--version"),
    ("-x status", USAGE, "unknown option '-x'"),
    ("job result 1-2 --out x", USAGE, "did you mean --output?"),
    ("web --port 1", USAGE, "did you mean --http-port?"),
    ("keys add bob", USAGE, "--role is needed"),
    ("help submt", USAGE, "conclave submit"),
    ("submit factorial 10 -o x", USAGE, "--output"),
    ("status --timeut 3s", USAGE, "--timeout"),
    ("status --timeout 20000d", USAGE, "or never"),
    ("up --max-result 1P", USAGE, "1GiB"),
    ("job", USAGE, None),
    ("nonsense", USAGE, "nonsense"),
    ("status x", USAGE, "x"),
    ("check --node 101", USAGE, "101"),
    ("monitor --count 0", USAGE, "--count"),
    ("monitor --node 0", USAGE, "--node"),
    ("bank load --accounts 1", USAGE, "--accounts"),
    ("bank load --rate -1", USAGE, "--rate"),
    ("bank load --seconds 0", USAGE, "--seconds"),
    ("bank load --window 0", USAGE, "--window"),
    ("bank load --seed 0", USAGE, "--seed"),
    ("bank load now", USAGE, "now"),
    ("up --snapshot-every 1", USAGE, "--snapshot-every"),
    ("up --snapshot-keep 0", USAGE, "--snapshot-keep"),
    ("up --snapshot-timeout 0s", USAGE, "--snapshot-timeout"),
    ("up --nodes 0", USAGE, "--nodes"),
    ("up --nodes 101", USAGE, "100"),
    ("up --nodes 6 --voters 7", USAGE, "voters"),
    ("up --port 32700 --nodes 25", USAGE, "32767"),
    ("up --port 65000", USAGE, "--port"),
    ("up --delay 5", USAGE, "--delay"),
    ("run factorial x", USAGE, "x"),
    ("run", USAGE, "factorial 10"),
]


@pytest.mark.parametrize("line, code, what", WORDS, ids=[row[0] for row in WORDS])
def test_one_clear_line_the_right_exit_code_and_nothing_changed(cluster, line, code, what):
    before, files = cluster.json("job", "list"), sorted(cluster.dir.iterdir())
    processes = set(harness.marked_pids(cluster.mark))
    done = cluster.conclave(*line.split())
    assert done.returncode == code, done.stderr
    assert not done.stdout
    if what is not None:  # a family of commands lists its members instead
        assert len(done.stderr.splitlines()) == 1 and what in done.stderr, done.stderr
        assert done.stderr.startswith("conclave: ")
    assert cluster.json("job", "list") == before
    assert sorted(cluster.dir.iterdir()) == files
    assert set(harness.marked_pids(cluster.mark)) == processes


@pytest.mark.parametrize("line", ["-h", "--help", "help", "job -h", "job --help", "help job", "submit -h", "help submit", "job list -h"])
def test_help_is_on_stdout_and_ends_with_0(cluster, line):
    done = cluster.conclave(*line.split())
    assert done.returncode == 0 and done.stdout and not done.stderr
    if "submit" in line:
        assert "primorial 30" in done.stdout


def test_control_bytes_are_escaped_in_what_is_said_X9(cluster):
    done = cluster.conclave("submit", "factorial", "\x1b[31m1\n2")
    assert done.returncode == USAGE
    assert "\x1b" not in done.stderr and len(done.stderr.splitlines()) == 1


def test_no_quorum_exits_with_the_reason(make_cluster):
    cluster = make_cluster(voters=6).start()
    cluster.wait_healthy()
    for node in (3, 4, 5, 6):
        cluster.kill(cluster.nodes[node])
    wait_for(lambda: (s := cluster.status()) and not s["coordinator"] and
             [n["alive"] for n in s["nodes"]].count(True) == 2)
    clients = [cluster.start_conclave(*command.split()) for command in (
        "submit factorial 10", "job list", "job show 1-1", "submit factorial 10 --timeout 1s")]
    for client in clients:
        out, err = client.communicate(timeout=seconds(15))
        assert client.returncode in (UNREACHABLE, TIMEOUT) and not out
        assert len(err.splitlines()) == 1 and "2 of 6 nodes are alive, 4 needed" in err
    done = cluster.conclave("check")
    assert done.returncode == UNREACHABLE and "2 of 6" in done.stderr + done.stdout
    # What is wrong in itself is said at once, quorum or not.
    assert cluster.conclave("submit", "factorial", "x").returncode == USAGE


# --- conclave-node and conclave-broker ---

def run_to_end(cluster, command, code=USAGE):
    """Runs a program that must refuse to start; returns its one line."""
    began = time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          env=cluster.environment(), cwd=cluster.dir, timeout=seconds(10),
                          check=False)
    assert time.monotonic() - began < seconds(3)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert not done.stdout
    complaints = [line for line in done.stderr.splitlines() if " info  " not in line]
    assert len(complaints) == 1, done.stderr
    return complaints[0]


NODE_OPTIONS = [
    ({"id": 7}, "7"), ({"id": 0}, "--id"), ({"id": 101}, "--id"), ({"id": "x"}, "'x'"),
    ({"nodes": 0}, "--nodes"), ({"nodes": 101}, "--nodes"), ({"port": 32767}, "--port"),
    ({"port": 0}, "--port"), ({"voters": 7}, "7"), ({"delay": "-1s"}, "--delay"),
    ({"heartbeat": "0"}, "--heartbeat"), ({"durability": "perhaps"}, "perhaps"),
    ({"bind": "no.such.address.example"}, "no.such.address.example"), ({"peers": "a,b"}, "--peers"),
    ({"cluster": "not a name"}, "not a name"), ({"max_result": "1 MB"}, "--max-result"),
    ({"log_level": "loud"}, "loud"), ({"election_timeout": "20ms"}, "--election-timeout"),
]


@pytest.mark.parametrize("options, what", NODE_OPTIONS, ids=str)
def test_a_node_refuses_bad_configuration(make_cluster, options, what):
    cluster = make_cluster()
    line = run_to_end(cluster, cluster.node_command(1, **options))
    assert what in line
    assert not (cluster.dir / "node1").exists()  # nothing was changed


def test_a_node_needs_an_id_and_a_directory(make_cluster):
    cluster = make_cluster()
    assert "--id" in run_to_end(cluster, [harness.BIN / "conclave-node", "--dir", "x"])
    assert "--dir" in run_to_end(cluster, [harness.BIN / "conclave-node", "--id", "1"])


@pytest.mark.parametrize("options, what", [
    ({"port": 40000}, "--port"), ({"nodes": 0}, "--nodes"), ({"peers": "a,b"}, "--peers"),
    ({"voters": 7}, "7"), ({"bind": "no.such.address.example"}, "no.such.address.example"),
], ids=str)
def test_a_broker_refuses_bad_configuration(make_cluster, options, what):
    cluster = make_cluster()
    assert what in run_to_end(cluster, cluster.broker_command(0, **options))


@pytest.mark.parametrize("plane", range(5))
def test_a_node_whose_port_is_in_use_says_which(make_cluster, plane):
    cluster = make_cluster()
    port = cluster.node_port(1, plane)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        assert str(port) in run_to_end(cluster, cluster.node_command(1), ENVIRONMENT)


def test_a_broker_whose_port_is_in_use_says_which(make_cluster):
    cluster = make_cluster()
    cluster.start_broker()
    wait_for(lambda: not harness.is_free(cluster.port + 1), what="the first broker listens")
    assert str(cluster.port) in run_to_end(cluster, cluster.broker_command(0), ENVIRONMENT)


def test_a_node_that_runs_twice_is_refused_the_second_time(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    run_to_end(cluster, cluster.node_command(1), ENVIRONMENT)
    # Elsewhere, too, its directory is in use.
    other = cluster.node_command(1, port=cluster.port + 5)
    assert "node1" in run_to_end(cluster, other, ENVIRONMENT)
    assert cluster.wait_healthy()["nodes"][0]["boots"] == 1
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"


def test_an_unwritable_directory_is_named(make_cluster):
    cluster = make_cluster()
    (cluster.dir / "a-file").write_text("in the way")
    for place in ("a-file", "a-file/below", "/proc/no-such-place", "/dev/null"):
        assert place in run_to_end(cluster, cluster.node_command(1, dir=place), ENVIRONMENT)
    assert (cluster.dir / "a-file").read_text() == "in the way"


def test_a_directory_of_another_node_or_cluster_is_refused_and_left_alone(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    for process in cluster.nodes.values():
        cluster.kill(process, signal.SIGTERM)

    def content():
        return {p: p.read_bytes() for p in pathlib.Path(cluster.dir / "node2").rglob("*")
                if p.is_file() and not p.name.startswith("lock")}
    before = content()
    line = run_to_end(cluster, cluster.node_command(1, dir=cluster.dir / "node2"))
    assert "node 2" in line and "node2" in line
    line = run_to_end(cluster, cluster.node_command(2, cluster="another"))
    assert "node2" in line and "conclave" in line
    assert content() == before
    cluster.start()
    assert all(node["boots"] == 2 for node in cluster.wait_healthy()["nodes"])


def test_damaged_data_are_refused_with_the_name_of_the_file_X11(make_cluster):
    cluster = make_cluster()
    process = cluster.start_node(1)
    cluster.feed.wait(lambda m: m["node"] == 1, what="it runs")
    cluster.kill(process, signal.SIGTERM)
    files = [p for p in (cluster.dir / "node1").rglob("*.mdb") if "lock" not in p.name]
    assert files
    for damage in (b"\xff" * 8192, b"", os.urandom(5000)):
        whole = files[0].read_bytes()
        files[0].write_bytes(damage)
        done = subprocess.run([str(w) for w in cluster.node_command(1)], capture_output=True,
                              text=True, env=cluster.environment(), timeout=seconds(10),
                              check=False)
        assert done.returncode == ENVIRONMENT, done.stderr
        assert "node1" in done.stderr and "AddressSanitizer" not in done.stderr
        files[0].write_bytes(whole)
    cluster.start_node(1)
    cluster.feed.wait(lambda m: m["node"] == 1 and m["type"] == "heartbeat" and
                      m["incarnation"] >> 32 == 2, what="it runs on the whole file")


def test_after_all_this_jobs_succeed(cluster):
    done = cluster.conclave("submit", "factorial", 10)
    assert (done.returncode, done.stdout) == (OK, "10!=3628800\n")

"""Issue 2: `conclave` itself: up, down, run, check, help, version, and what its exit codes say."""
import json
import math
import os
import signal
import subprocess
import time

import pytest

import harness
from harness import NOT_FOUND, OK, UNREACHABLE, USAGE, seconds, wait_for


def up(cluster, *more, **options):
    return cluster.json("up", "--detach", "--dir", "up", "--port", cluster.port, *more,
                        timeout=60, **options)


def test_up_detached_returns_once_a_coordinator_serves_and_down_ends_all(make_cluster):
    cluster = make_cluster()
    told = up(cluster)
    assert told["nodes"] == 6 and told["port"] == cluster.port
    assert cluster.ok("submit", "factorial", 10, timeout=5) == "10!=3628800\n"
    status = cluster.wait_healthy()
    assert status["coordinator"] == told["coordinator"]
    pids = [node["pid"] for node in status["nodes"]] + [status["brokers"][0]["pid"], told["pid"]]
    assert set(pids) <= set(harness.marked_pids(cluster.mark))
    for node in status["nodes"]:
        command = open(f"/proc/{node['pid']}/cmdline", encoding="ascii").read().split("\0")
        assert command[0].endswith("conclave-node")
        assert f"--id\0{node['id']}\0" in "\0".join(command) + "\0" or \
            f"--id={node['id']}" in command
        assert (cluster.dir / "up" / f"node{node['id']}").is_dir()
    cluster.ok("down", "--dir", "up")
    assert not harness.marked_pids(cluster.mark)
    # Once more on the same data; and ending what does not run is no failure.
    assert up(cluster)["term"] > told["term"]
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    cluster.ok("down", "--dir", "up")
    cluster.ok("down", "--dir", "up")
    assert cluster.conclave("down", "--dir", "nowhere").returncode == NOT_FOUND
    assert not harness.marked_pids(cluster.mark)


def test_what_dies_is_started_again_by_up(make_cluster):
    cluster = make_cluster()
    up(cluster)
    status = cluster.wait_healthy()
    for victim in (status["coordinator"], status["coordinator"] % 6 + 1):
        os.kill(status["nodes"][victim - 1]["pid"], signal.SIGKILL)

        def returned(node=victim, old=status["nodes"][victim - 1]["pid"]):
            now = cluster.status()
            row = now["nodes"][node - 1] if now and now["healthy"] else None
            return row and row["pid"] != old and row["role"] == "worker"
        wait_for(returned, 15, "the killed node is back as a worker")
        assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    old = status["brokers"][0]["pid"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: (s := cluster.status()) and s["brokers"][0]["pid"] not in (None, old), 15,
             "the killed broker is back")
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    cluster.ok("down", "--dir", "up")


def test_up_in_the_foreground_ends_all_on_sigint(make_cluster):
    cluster = make_cluster()
    process = cluster.start_conclave("up", "--dir", "up", "--port", cluster.port)
    cluster.wait_healthy()
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=seconds(5))
    assert process.returncode in (OK, 130)
    assert not harness.marked_pids(cluster.mark)


def test_a_killed_supervisor_leaves_nothing_running(make_cluster):
    cluster = make_cluster()
    told = up(cluster)
    os.kill(told["pid"], signal.SIGKILL)
    wait_for(lambda: not harness.marked_pids(cluster.mark), 10, "its children ended with it")


def test_up_takes_delay_and_nodes(make_cluster):
    cluster = make_cluster()
    up(cluster, "--nodes", 3, "--delay", "200ms", "--brokers", 2, "--checkpoint-interval", "50ms",
       "--checkpoint-bytes", "1MiB", "--compact-entries", 1000)
    status = cluster.wait_healthy()
    assert len(status["nodes"]) == 3
    began = time.monotonic()
    second = f"tcp://127.0.0.1:{cluster.port + 2}"
    assert cluster.ok("submit", "factorial", 10, broker=second) == "10!=3628800\n"
    assert time.monotonic() - began > 0.6
    cluster.ok("down", "--dir", "up")


def test_durability_off_keeps_no_log_and_takes_none(make_cluster):
    cluster = make_cluster()
    up(cluster, "--durability", "off")
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    assert "for measuring only" in (cluster.dir / "up" / "node1.log").read_text()
    # A node that ends is as good as wiped, and returns as such.
    status = cluster.wait_healthy()
    os.kill(status["nodes"][status["coordinator"] - 1]["pid"], signal.SIGKILL)
    wait_for(lambda: (s := cluster.status()) and s["healthy"] and s["term"] > status["term"],
             what="the others go on with it")
    assert cluster.ok("job", "list").count("10!") == 1
    cluster.ok("down", "--dir", "up")


def test_durability_off_takes_no_directory_that_holds_a_log(make_cluster):
    cluster = make_cluster()
    up(cluster)
    cluster.ok("down", "--dir", "up")
    done = cluster.conclave("up", "--detach", "--dir", "up", "--port", cluster.port,
                            "--durability", "off")
    assert done.returncode in (USAGE, harness.FAILED) and "holds a log" in done.stderr
    assert not harness.marked_pids(cluster.mark)


def test_up_twice_in_one_directory_or_on_used_ports_is_refused(make_cluster):
    cluster = make_cluster()
    up(cluster)
    before = harness.marked_pids(cluster.mark)
    for arguments in (["--dir", "up", "--port", cluster.port], ["--dir", "b", "--port", cluster.port]):
        done = cluster.conclave("up", "--detach", *arguments)
        assert done.returncode in (USAGE, harness.FAILED) and not done.stdout
        assert len(done.stderr.splitlines()) == 1, done.stderr
    assert set(before) == set(harness.marked_pids(cluster.mark))
    assert cluster.ok("submit", "factorial", 10) == "10!=3628800\n"
    cluster.ok("down", "--dir", "up")


def test_run_leaves_nothing_behind(make_cluster, tmp_path):
    cluster = make_cluster()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    out = cluster.ok("run", "factorial", 1000, timeout=30, env={"TMPDIR": str(temporary)})
    assert out == f"1000!={math.factorial(1000)}\n"
    assert not list(temporary.iterdir())
    assert not harness.marked_pids(cluster.mark)


def test_run_interrupted_leaves_nothing_behind(make_cluster, tmp_path):
    cluster = make_cluster()
    process = cluster.start_conclave("run", "factorial", "3000", "--delay", "10s")
    wait_for(lambda: len(harness.marked_pids(cluster.mark)) >= 8, 10, "its cluster runs")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=seconds(10))
    assert process.returncode == 130
    assert not harness.marked_pids(cluster.mark)


def test_check_says_whether_the_cluster_is_healthy(make_cluster):
    cluster = make_cluster().start()
    cluster.wait_healthy()
    assert cluster.conclave("check").returncode == OK
    status = cluster.status()
    worker = status["coordinator"] % 6 + 1
    assert cluster.conclave("check", "--node", worker).returncode == OK
    done = cluster.conclave("check", "--node", 100)
    assert done.returncode == USAGE and "there is no node 100" in done.stderr
    cluster.kill(cluster.nodes[worker])
    done = wait_for(lambda: (d := cluster.conclave("check")).returncode and d,
                    what="check sees the dead node")
    assert done.returncode == UNREACHABLE
    assert len((done.stdout + done.stderr).splitlines()) == 1
    assert str(worker) in done.stdout + done.stderr
    assert cluster.conclave("check", "--quorum").returncode == OK
    assert cluster.conclave("check", "--node", worker).returncode == UNREACHABLE
    assert not cluster.status()["healthy"]
    assert not cluster.status()["nodes"][worker - 1]["alive"]


def test_status_and_check_wait_for_a_coordinator_as_long_as_they_are_told(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    for node in (1, 2):
        cluster.kill(cluster.nodes[node])
    wait_for(lambda: cluster.conclave("status").returncode == UNREACHABLE, what="status says that there is no coordinator")
    waiting = [cluster.start_conclave(command, "--json", "--timeout", "30s") for command in ("status", "check")]
    began = time.monotonic()
    assert cluster.conclave("status", "--timeout", "1s").returncode == UNREACHABLE
    assert time.monotonic() - began >= 1
    assert [client.poll() for client in waiting] == [None, None]
    for node in (1, 2):
        cluster.start_node(node)
    said = [json.loads(client.communicate(timeout=seconds(30))[0]) for client in waiting]
    assert said[0]["coordinator"] and waiting[0].returncode == OK
    assert "coordinates 3 nodes" in said[1]["text"]  # whether the last one was alive already


@pytest.mark.parametrize("program", ["conclave", "conclave-node", "conclave-broker"])
def test_programs_tell_their_version_and_help(program):
    env = harness.clean_environment()
    for option, wanted in (("--version", "0."), ("--help", "--port" if "-" in program else "submit")):
        done = subprocess.run([harness.BIN / program, option], capture_output=True, text=True,
                              env=env, timeout=seconds(5), check=False)
        assert done.returncode == OK and wanted in done.stdout and not done.stderr


def test_help_knows_every_command(cluster):
    overview = cluster.ok("help")
    for command in ("up", "down", "run", "submit", "job list", "job show", "job wait", "job result",
                    "job cancel", "job explain", "progress set", "progress snap", "progress get",
                    "status", "monitor", "check", "version"):
        assert command in overview
        assert "usage: conclave " + command in cluster.ok("help", *command.split())
        assert "usage: conclave " + command in cluster.ok(*command.split(), "--help")
    assert cluster.conclave("help", "nonsense").returncode == USAGE
    assert json.loads(cluster.ok("version", "--json"))["version"]


@pytest.mark.parametrize("command", ["up", "run", "submit", "map", "monitor", "web", "recover", "status"])
def test_lists_in_help_keep_their_shape(cluster, command):
    """Whatever stands below "Options" begins as all of it does."""
    for section in cluster.ok("help", command).split("\n\n"):
        title, *rows = section.splitlines()
        if title.startswith("Options"):
            assert rows and all(row.startswith("  ") for row in rows), rows


def test_options_come_from_the_environment(cluster):
    out = cluster.ok("submit", "factorial", 10, env={"CONCLAVE_JSON": "1"})
    assert json.loads(out)["result"]["text"] == "3628800"


def test_a_broker_is_named_by_its_host_alone(cluster):
    """Nobody listens there: what is said names the port that was taken."""
    for how in ({"broker": "127.9.9.9"}, {"broker": "tcp://127.9.9.9"}):
        done = cluster.conclave("job", "list", **how)
        assert done.returncode == UNREACHABLE and "tcp://127.9.9.9:7000" in done.stderr, done
    for bare in ("::1", "[::1]", "tcp://[::1]"):
        assert "tcp://[::1]:7000" in cluster.conclave("job", "list", "--broker", bare).stderr
    done = cluster.conclave("job", "list", "--broker", "127.9.9.9")
    assert done.returncode == UNREACHABLE and "tcp://127.9.9.9:7000" in done.stderr, done
    for bad in ("7000", "127.0.0.1:", "127.0.0.1:x", "http://127.0.0.1", "a b", "[::1", "[a]:7000", "::1]:7000", "a,"):
        for done in (cluster.conclave("status", "--broker", bad), cluster.conclave("status", broker=bad)):
            assert done.returncode == USAGE and len(done.stderr.splitlines()) == 1 and "is not an address" in done.stderr, (bad, done)

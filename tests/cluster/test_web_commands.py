"""Answers of `conclave web` that a command makes: how long it may be silent, and what ends it."""
import json
import os
import signal
import socket
import sys
import time

import pytest

import harness
from harness import send_signal, wait_for
from web import Web

sys.path.insert(0, str(harness.ROOT / "tests/chaos"))
from shims import tell  # noqa: E402

LONG = 1_100_000  # lines: more than fits into all buffers on the way


@pytest.fixture(name="web", scope="module")
def web_of_all(cluster):
    cluster.wait_healthy()
    yield Web(cluster)


@pytest.fixture(name="job", scope="module")
def job_with_a_long_output(cluster):
    cluster.wait_healthy()
    cluster.ok("map", "--max-output", "9MiB", "--dir", cluster.dir / "long", "--sh", f"seq 1 {LONG}; exit 0 {{}}", ":::", "a")
    return cluster.json("job", "list")[-1]["id"]


def read_all(connection):
    """Until the other side ends it."""
    got = b""
    while part := connection.recv(1 << 20):
        got += part
    return got


def silenced(web, job):
    """A connection whose answer has begun, all of which is taken, and whose command was stopped before it had said all."""
    connection = web.hold(f"/api/jobs/{job}/output", 1 << 16)
    command = wait_for(web.delegates)[0]
    assert connection.recv(1), "the answer begins"
    send_signal(command, signal.SIGSTOP)
    connection.settimeout(1)
    got = 1
    with pytest.raises(TimeoutError):
        while part := connection.recv(1 << 20):
            got += len(part)
    assert got < 7 << 20, "there was more to say"
    connection.settimeout(20)
    return connection, command, got


@pytest.mark.skipif(harness.SANITIZED, reason="sanitizers want to be loaded first")
def test_a_command_that_is_silent_for_long_is_waited_for(cluster, job):
    """Half a minute of silence was the end of the answer, whatever the command was at."""
    clock = cluster.dir / "web.clock"
    web = Web(cluster, env={"LD_PRELOAD": f"{harness.LIB}/jump_clock.so", "JUMP_CLOCK": str(clock), "JUMP_CLOCK_ALL": "1"})
    connection, command, got = silenced(web, job)
    for jump in (31, 62, 93):
        tell(clock, f"{jump * 1000}\n")
        assert web.get("/api/status")["coordinator"], "it has turned since the clock jumped"
        assert web.delegates() == [command]
    send_signal(command, signal.SIGCONT)
    rest = read_all(connection)
    assert rest.endswith(b"0\r\n\r\n") and got + len(rest) > 7 << 20
    connection.close()


def test_a_reader_may_be_slow(web, job):
    """The command had eight seconds for all of it, and a reader that was slower lost the rest."""
    connection, command, got = silenced(web, job)
    send_signal(command, signal.SIGCONT)
    end = time.monotonic() + 9
    while time.monotonic() < end:
        got += len(connection.recv(1 << 16))
        time.sleep(0.2)  # as a slow line would
    rest = read_all(connection)
    assert rest.endswith(b"0\r\n\r\n") and got + len(rest) > 7 << 20
    connection.close()


@pytest.mark.parametrize("how", ["close", "shutdown", "reset"])
def test_a_client_that_goes_ends_the_command_although_it_says_nothing(web, job, how):
    connection, command, _ = silenced(web, job)
    if how == "shutdown":
        connection.shutdown(socket.SHUT_WR)
    else:
        linger = b"\1\0\0\0\0\0\0\0" if how == "reset" else b"\0" * 8
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
    wait_for(lambda: not os.path.exists(f"/proc/{command}"), 3, "the command has ended")
    connection.close()
    assert web.get("/api/status")["coordinator"]


def stop_before_it_answers(web, body):
    """Posts; returns (connection, command) with the command stopped before it said anything."""
    sent = json.dumps(body).encode()
    head = (f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {web.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n").encode()
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", web.port), timeout=20)
        connection.sendall(head + sent)
        command = wait_for(web.delegates, pause=0.0005)[0]
        send_signal(command, signal.SIGSTOP)
        connection.settimeout(0.3)
        try:
            connection.recv(1)
        except TimeoutError:
            connection.settimeout(20)
            return connection, command
        send_signal(command, signal.SIGCONT)
        connection.close()
    raise AssertionError("it always answers before it can be stopped")


def test_a_client_that_goes_before_the_answer_ends_what_submits(cluster, web):
    inputs = {"kind": "product", "inputs": [str(10 ** 40 + n) for n in range(20_000)]}
    connection, command = stop_before_it_answers(web, inputs)
    connection.close()
    wait_for(lambda: not os.path.exists(f"/proc/{command}"), 3, "the command has ended")
    # One that only closes its own side is told, in as far as it still listens.
    connection, command = stop_before_it_answers(web, inputs)
    connection.shutdown(socket.SHUT_WR)
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 504") and b"closed its side" in answer, answer
    assert cluster.json("job", "list") is not None

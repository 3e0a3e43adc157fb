"""`conclave web`: the HTTP API and metrics beside what the command line says; who is refused; what is bounded."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness import OK, USAGE, factorial_digits, memory, seconds, wait_for
from web import DELEGATES_MAX, Stream, Web, read_metrics

# web_limits.h
CONNECTIONS_MAX, STREAMS_MAX, BODY_BYTES, REQUEST_S = 128, 32, 1 << 20, 10


@pytest.fixture(name="web", scope="module")
def web_of_all(cluster):
    cluster.wait_healthy()
    yield Web(cluster)


def steady(status):
    """A status without what changes while one looks."""
    status["brokers"] = [{k: v for k, v in row.items() if k != "forwarded"} for row in status["brokers"]]
    status["nodes"] = [{k: v for k, v in row.items() if not k.startswith("longest_turn")} for row in status["nodes"]]
    return status


# --- what it says is what the command line says ---

def test_a_status_is_that_of_the_command_line(cluster, web):
    cluster.submit(1000)
    wait_for(lambda: steady(web.get("/api/status")) == steady(cluster.status()), what="both say the same")
    assert set(web.get("/api/status")) == set(cluster.status())


def test_jobs_are_those_of_the_command_line(cluster, web):
    status, job = web.post("/api/jobs", {"kind": "factorial", "spec": "10", "key": "of-the-web"})
    assert status == 202 and job["spec"] == "10" and job["key"] == "of-the-web"
    done = wait_for(lambda: (j := web.get(f"/api/jobs/{job['id']}"))["state"] == "done" and j)
    assert done == cluster.json("job", "show", job["id"]) and done["result"]["text"] == "3628800"
    assert web.get("/api/jobs") == cluster.json("job", "list")
    assert web.get("/api/jobs?state=running") == cluster.json("job", "list", "--state", "running")
    assert web.get("/api/jobs?limit=1") == cluster.json("job", "list")[-1:]
    assert web.get(f"/api/jobs?after={job['id']}") == []
    assert web.get(f"/api/jobs/{job['id']}?ops=1") == cluster.json("job", "show", job["id"], "--ops")
    assert web.get(f"/api/jobs/{job['id']}/explain") == cluster.json("job", "explain", job["id"])
    # The same key is the same job; with another job it is refused.
    again = web.post("/api/jobs", {"kind": "factorial", "spec": "10", "key": "of-the-web"})
    assert again[0] == 202 and again[1]["id"] == job["id"]
    assert web.post("/api/jobs", {"kind": "factorial", "spec": "11", "key": "of-the-web"})[0] == 409


def test_a_result_comes_whole_through_the_web(cluster, web):
    job = cluster.submit(200_000)
    status, body, headers = web.ask("GET", f"/api/jobs/{job['id']}/result")
    assert status == 200 and body.decode() == factorial_digits(200_000) + "\n"
    assert len(body) > 1 << 19, "more than one part"
    assert headers["Conclave-SHA256"] == hashlib.sha256(body[:-1]).hexdigest() == job["result"]["sha256"]
    short = cluster.submit(10)
    assert web.ask("GET", f"/api/jobs/{short['id']}/result")[1] == b"3628800\n"


def test_a_job_is_cancelled_through_the_web(cluster, web):
    job = web.post("/api/jobs", {"kind": "factorial", "spec": "9000000"})[1]["id"]
    assert web.ask("GET", f"/api/jobs/{job}/result")[0] == 409
    status, row = web.post(f"/api/jobs/{job}/cancel")
    assert status == 200 and row["state"] == "cancelled" and row == cluster.json("job", "show", job)
    done = cluster.submit(10)["id"]
    status, row = web.post(f"/api/jobs/{done}/cancel")
    assert status == 409 and row["error"]["code"] == "finished" and row["error"]["exit"] == 1


def test_tasks_and_what_they_wrote_are_those_of_the_command_line(cluster, web):
    cluster.conclave("map", "--sh", "echo out {}; echo err {} >&2; test {} != b", ":::", "a", "b", "c")
    job = cluster.json("job", "list")[-1]["id"]

    def lines(body):
        return [json.loads(line) for line in body.splitlines()]
    for query, words in [("", []), ("?state=failed", ["--state", "failed"]), ("?tasks=2-3", ["--task", "2-3"]),
                         ("?limit=1", ["--limit", 1])]:
        status, body, headers = web.ask("GET", f"/api/jobs/{job}/tasks{query}")
        assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
        assert lines(body) == lines(cluster.ok("job", "tasks", job, "--json", *words)) and body
        status, body, _ = web.ask("GET", f"/api/jobs/{job}/output{query}")
        assert status == 200 and body.decode() == cluster.ok("job", "output", job, *words) != ""
    assert web.ask("GET", f"/api/jobs/{job}/output?tasks=2&stream=stderr")[1] == b"err b\n"
    assert web.ask("GET", f"/api/jobs/{job}/tasks?state=lost")[:2] == (200, b"")
    other = cluster.submit(10)["id"]
    for path, expected, said in [(f"{job}/tasks?state=no", 400, "state"), (f"{job}/tasks?limit=1001", 400, "limit"),
                                 (f"{job}/tasks?tasks=$(id)", 400, "numbers"), (f"{job}/tasks?tasks=--stderr", 400, "numbers"),
                                 (f"{job}/output?stream=x", 400, "stream"), (f"{job}/output?tasks=4", 404, "3 tasks"),
                                 ("9-9/tasks", 404, "no job"), (f"{other}/tasks", 400, "not tasks"), (f"{other}/output", 400, "not tasks")]:
        status, body, _ = web.ask("GET", f"/api/jobs/{path}")
        assert status == expected and said in json.loads(body)["error"]["message"], (path, body)


def test_inputs_come_in_the_body(cluster, web):
    status, job = web.post("/api/jobs", {"kind": "product", "inputs": ["12", "-15", "100000000000000000000"], "key": "with-inputs"})
    assert status == 202 and job["kind"] == "product" and job["key"] == "with-inputs"
    done = wait_for(lambda: (j := web.get(f"/api/jobs/{job['id']}"))["state"] == "done" and j)
    assert done["result"]["text"] == "-18000000000000000000000" and done == cluster.json("job", "show", job["id"])
    again = web.post("/api/jobs", {"kind": "product", "inputs": ["12", "-15", "100000000000000000000"], "key": "with-inputs"})
    assert again[0] == 202 and again[1]["id"] == job["id"]
    status, job = web.post("/api/jobs", {"kind": "batch-gcd", "inputs": ["15", "21", "11"]})
    wait_for(lambda: web.get(f"/api/jobs/{job['id']}")["state"] == "done")
    # Results that are not digits alone come, too.
    others = [cluster.json("submit", *words)["id"] for words in [("pi", 1000), ("e", 20), ("product", "-3", "5")]]
    for number in [job["id"], done["id"], *others]:
        assert web.ask("GET", f"/api/jobs/{number}/result")[1].decode() == cluster.ok("job", "result", number) != "", number
    many = [str(10 ** 40 + n) for n in range(20_000)]  # some 900 KB
    status, job = web.post("/api/jobs", {"kind": "product", "inputs": many})
    assert status == 202
    wait_for(lambda: web.get(f"/api/jobs/{job['id']}")["state"] == "done", 60)
    jobs = cluster.json("job", "list")
    for body, said in [({"kind": "product", "inputs": ["1", "x"]}, "decimal digits"), ({"kind": "product", "inputs": ["@/etc/hostname"]}, "digits"),
                       ({"kind": "product", "inputs": [1]}, "digits"), ({"kind": "product", "inputs": "1"}, "list"),
                       ({"kind": "factorial", "inputs": ["1"]}, "product, batch-gcd and reduce"), ({"kind": "--help", "inputs": ["1"]}, "product"),
                       ({"kind": "product", "inputs": ["1"], "key": "a b"}, "key"), ({"kind": "product", "inputs": ["1"], "spec": "1"}, "either"),
                       ({"kind": "product", "inputs": ["2"], "plan": "tree"}, "product"), ({"inputs": ["1"]}, "kind")]:
        status, error = web.post("/api/jobs", body)
        assert status == 400 and said in error["error"]["message"], (body, error)
    assert cluster.json("job", "list") == jobs


def test_known_integers_other_bases_and_results_come_in_the_body(cluster, web):
    def done(body):
        status, job = web.post("/api/jobs", body)
        assert status == 202, job
        wait_for(lambda: web.get(f"/api/jobs/{job['id']}")["state"] == "done", what=job)
        return web.ask("GET", f"/api/jobs/{job['id']}/result")[1].decode()
    # 15, 33 and 91 beside 55: all as hexadecimal digits; longer than the words of a command may be.
    moduli, known = ["f", "21", "5B"], ["37", *(f"{2**600 + 2 * n + 1:x}" for n in range(20))]

    def told(*words, **more):
        return cluster.ok("job", "result", cluster.json("submit", *words, **more)["id"])
    expected = told("batch-gcd", *moduli, "--base", 16, "--against", "@-", input="\n".join(known))
    assert done({"kind": "batch-gcd", "inputs": moduli, "base": 16, "against": known}) == expected and "k1" in expected
    assert done({"kind": "product", "inputs": ["-ff", "2"], "base": 16}) == "-510\n"
    ten, six = cluster.submit(10)["id"], cluster.submit(6)["id"]
    assert done({"kind": "product", "inputs": [f"job:{ten}", f"job:{six}"]}) == f"{3628800 * 720}\n"
    against = {"kind": "batch-gcd", "inputs": ["15", "21"], "against": [f"job:{six}"]}
    assert done(against) == told("batch-gcd", 15, 21, "--against", f"job:{six}")
    # What the tasks of a map wrote, folded by a program of the cluster.
    program = cluster.dir / "joined.sh"
    program.write_text("#!/bin/sh\ncat \"$@\"\n", encoding="ascii")
    program.chmod(0o755)
    cluster.ok("op", "add", "joined", program)
    mapped = cluster.ok("map", "--no-wait", "echo", ":::", "a", "b", "c").strip()
    cluster.ok("job", "wait", mapped)
    assert done({"kind": "reduce", "operator": "joined", "inputs": [f"job:{mapped}"]}) == told("reduce", "joined", f"job:{mapped}")


NOT_INPUTS = [({"kind": "product", "inputs": ["1", "job:1-1"]}, 400, "integers"), ({"kind": "product", "inputs": []}, 400, "list"),
              ({"kind": "product", "inputs": ["job:1-1"] * 17}, 400, "16 at most"), ({"kind": "product", "inputs": ["f"]}, 400, "decimal"),
              ({"kind": "product", "inputs": ["g"], "base": 16}, 400, "hexadecimal"), ({"kind": "product", "inputs": ["1"], "base": 8}, 400, "base"),
              ({"kind": "product", "inputs": ["1"], "base": "16"}, 400, "base"), ({"kind": "product", "inputs": ["1"], "against": ["2"]}, 400, "against"),
              ({"kind": "batch-gcd", "inputs": ["1"], "against": ["value:00000000", "value:00000000"]}, 400, "one result"),
              ({"kind": "batch-gcd", "inputs": ["1"], "against": ["@/etc/hostname"]}, 400, "against must"),
              ({"kind": "factorial", "spec": "3", "base": 16}, 400, "inputs"), ({"kind": "reduce", "inputs": ["job:1-1"]}, 400, "operator"),
              ({"kind": "reduce", "operator": "--help", "inputs": ["job:1-1"]}, 400, "operator"),
              ({"kind": "reduce", "operator": 7, "inputs": ["job:1-1"]}, 400, "operator"),
              ({"kind": "reduce", "operator": "none", "inputs": ["/etc/hostname"]}, 400, "list"),
              ({"kind": "reduce", "operator": "none", "inputs": ["12"]}, 400, "job:ID"),
              ({"kind": "reduce", "operator": "none", "inputs": ["job:9-9"]}, 404, "9-9"),
              ({"kind": "product", "operator": "none", "inputs": ["1"]}, 400, "operator"),
              ({"kind": "product", "inputs": ["job:9-9"]}, 404, "9-9"), ({"kind": "product", "inputs": ["value:" + "0" * 64]}, 404, "value:"),
              ({"kind": "product", "inputs": ["1"], "more": 1, "less": 2}, 400, "may be given")]


@pytest.mark.parametrize("body, expected, said", NOT_INPUTS, ids=range(len(NOT_INPUTS)))
def test_inputs_that_are_none_are_refused_in_one_line(cluster, web, body, expected, said):
    jobs = cluster.json("job", "list")
    status, got = web.post("/api/jobs", body)
    message = got["error"]["message"]
    assert status == expected and said in message and "\n" not in message and not message.endswith("; "), got
    assert cluster.json("job", "list") == jobs


def test_a_long_output_comes_whole_and_a_reader_that_goes_ends_it(cluster, web):
    cluster.ok("map", "--max-output", "9MiB", "--dir", cluster.dir / "long", "--sh", "seq 1 1100000; exit 0 {}", ":::", "a")
    job = cluster.json("job", "list")[-1]["id"]
    status, body, _ = web.ask("GET", f"/api/jobs/{job}/output")
    assert status == 200 and body.split() == [b"%d" % n for n in range(1, 1_100_001)]

    held = [web.hold(f"/api/jobs/{job}/output") for _ in range(DELEGATES_MAX)]
    wait_for(lambda: len(web.delegates()) == DELEGATES_MAX)
    assert web.ask("GET", f"/api/jobs/{job}/tasks")[0] == 503
    assert web.get("/api/status")["coordinator"], "nobody is held up"
    for connection in held:
        connection.close()
    wait_for(lambda: not web.delegates(), 40, "they end with their readers")
    assert web.ask("GET", f"/api/jobs/{job}/tasks")[0] == 200


def fsyncs(figure, node, told):
    """The histogram of a node's disk beside that of the status."""
    name = "node_fsync_duration_seconds"
    buckets = [(str(int(us) / 1e6).removesuffix(".0"), n) for us, n in told["within_us"].items()] + [("+Inf", told["count"])]
    return [(figure(f"{name}_count", node=node), told["count"]), (figure(f"{name}_sum", node=node), told["sum_us"] / 1e6),
            *((figure(f"{name}_bucket", node=node, le=bound), n) for bound, n in buckets)]


def test_metrics_are_the_figures_of_the_status(cluster, web):
    cluster.submit(1000)

    def same():
        status, text, headers = web.ask("GET", "/metrics")
        assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
        found, told, compared = read_metrics(text.decode()), cluster.status(), set()

        def figure(name, **labels):
            compared.add("conclave_" + name)
            return found["conclave_" + name, tuple(labels.items())]
        pairs = [(figure("up"), 1), (figure("coordinator"), told["coordinator"])]
        for name, key in [("term", "term"), ("quorum", "quorum"), ("healthy", "healthy"), ("voters", "voters"),
                          ("voters_may_fail", "may_fail"), ("elections_total", "elections"),
                          ("node_restarts_total", "restarts"), ("operations_total", "operations"),
                          ("operations_reassigned_total", "reassigned"), ("operations_copied_total", "copied")]:
            pairs.append((figure(name), told[key]))
        pairs += [(figure("jobs", state=state), n) for state, n in told["jobs"].items()]
        pairs += [(figure("kept_jobs"), told["kept"]["jobs"]), (figure("kept_bytes"), told["kept"]["bytes"]),
                  (figure("kept_jobs_limit"), told["kept"]["jobs_max"]), (figure("kept_limit_bytes"), told["kept"]["bytes_max"] or 0)]
        for row in told["nodes"]:
            for name, key in [("up", "alive"), ("term", "term"), ("applied_index", "applied"), ("committed_index", "committed"),
                              ("boots_total", "boots"),
                              ("operations_total", "operations"), ("conversions_total", "conversions"),
                              ("assigned_operations", "assigned"), ("held_values", "held"), ("disk_full", "disk_full"),
                              ("refused_connections_total", "refused"), ("forbidden_requests_total", "forbidden"),
                              ("rejected_messages_total", "rejected"), ("insecure", "insecure"),
                              ("held_bytes", "held_bytes"), ("spilled_bytes", "spilled_bytes"), ("unspillable", "unspillable"),
                              ("short_of_memory", "short_of_memory"), ("command_slots", "slots"),
                              ("operation_slots", "operation_slots"), ("occupied_slots", "slots_used")]:
                pairs.append((figure("node_" + name, node=str(row["id"])), row[key] or 0))
            for name, key, scale in [("longest_turn_seconds", "longest_turn_us", 1e6), ("longest_turn_own_seconds", "longest_turn_own_us", 1e6), ("lag_seconds", "behind_ms", 1e3),
                                     ("disk_stalled_seconds", "stalled_ms", 1e3)]:
                pairs.append((figure("node_" + name, node=str(row["id"])), row[key] / scale))
            pairs += fsyncs(figure, str(row["id"]), row["fsync"])
        for row in told["brokers"]:
            for name, key in [("up", "alive"), ("rejected_messages_total", "rejected"), ("refused_connections_total", "keys_refused"),
                              ("refused_requests_total", "refused"), ("dropped_answers_total", "dropped"),
                              ("waiting_bytes", "waiting"), ("insecure", "insecure")]:
                pairs.append((figure("broker_" + name, broker=row["address"]), row[key]))
        names = {name for name, _ in found if not name.startswith(("conclave_feed_", "conclave_web_"))}
        # Forwarded are the requests of both, too; voters are not in the rows of status; three come with heartbeats alone.
        assert names - compared == {"conclave_broker_forwarded_requests_total", "conclave_node_voter", "conclave_node_info",
                                    "conclave_node_fetched_bytes_total", "conclave_node_queued_operations",
                                    "conclave_node_disk_busy_seconds"}
        return all(abs(a - b) < 1e-6 for a, b in pairs)
    wait_for(same, what="metrics and status say the same")


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: Debian's package prometheus is not installed")
def test_metrics_are_as_promtool_wants_them(web):
    text = web.ask("GET", "/metrics")[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


def test_the_events_count_in_metrics(cluster, web):
    name = ("conclave_feed_events_total", (("event", "snapshot"),))
    before = read_metrics(web.ask("GET", "/metrics")[1].decode()).get(name, 0)
    cluster.ok("snapshot", "take")
    wait_for(lambda: read_metrics(web.ask("GET", "/metrics")[1].decode()).get(name, 0) == before + 1)


# --- who is refused ---

def test_the_token_is_its_owners_alone(cluster, web):
    assert stat.S_IMODE(os.stat(cluster.dir / "web.token").st_mode) == 0o600
    assert len(web.token) == 64 and web.about["token_file"] == str(cluster.dir / "web.token")
    open_to_all = cluster.dir / "open.token"
    open_to_all.write_text("0" * 64, encoding="ascii")
    open_to_all.chmod(0o644)
    done = cluster.conclave("web", "--http-port", 0, "--token-file", open_to_all)
    assert done.returncode == USAGE and "open to others" in done.stderr
    no_token = cluster.dir / "no.token"
    no_token.write_text("secret", encoding="ascii")
    no_token.chmod(0o600)
    done = cluster.conclave("web", "--http-port", 0, "--token-file", no_token)
    assert done.returncode == USAGE and "holds no token" in done.stderr


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/1-1/cancel"])
def test_without_the_token_nothing_changes(cluster, web, path):
    jobs = cluster.json("job", "list")
    for given in [None, "0" * 64, web.token[:-1], web.token + "0", web.token.upper() + " "]:
        status, body, headers = web.ask("POST", path, {"kind": "factorial", "spec": "12"}, token=given)
        assert status == 401 and json.loads(body)["error"] == {
            "code": "forbidden", "exit": 7, "message": "this needs the token: Authorization: Bearer TOKEN"}
        assert headers["WWW-Authenticate"] == "Bearer"
    assert cluster.json("job", "list") == jobs


FOREIGN = [({"Host": "evil.example"}, 403), ({"Host": "127.0.0.1.evil.example"}, 403), ({"Host": "127.0.0.1@evil.example"}, 403),
           ({"Host": "localhost:80:80"}, 400), ({"Host": ""}, 400), ({"Origin": "http://evil.example"}, 403),
           ({"Origin": "null"}, 403), ({"Origin": "http://127.0.0.1:1"}, 403), ({"Origin": "file://"}, 403),
           ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403)]


@pytest.mark.parametrize("headers, expected", FOREIGN)
@pytest.mark.parametrize("method, path", [("GET", "/api/status"), ("GET", "/metrics"), ("GET", "/api/events"),
                                          ("POST", "/api/jobs")])
def test_pages_of_other_sites_get_nothing(web, headers, expected, method, path):
    status, body, _ = web.ask(method, path, token=web.token, headers=headers)
    assert status == expected and set(json.loads(body)) == {"error"}


def test_its_own_names_are_taken(web):
    for host in ["localhost", "LOCALHOST:1", f"127.0.0.1:{web.port}", "[::1]:80"]:
        assert web.ask("GET", "/api/status", headers={"Host": host})[0] == 200
    same = {"Origin": f"http://127.0.0.1:{web.port}", "Sec-Fetch-Site": "same-origin"}
    assert web.ask("GET", "/api/status", headers=same)[0] == 200


def test_beyond_loopback_reading_needs_the_token(cluster):
    web = Web(cluster, "--bind", "0.0.0.0", "--host", "cluster.example")
    here = {"Host": "cluster.example"}
    for path in ["/api/status", "/api/jobs", "/api/events", "/metrics", "/api/jobs/1-1"]:
        assert web.ask("GET", path, headers=here)[0] == 401
    assert web.ask("GET", "/api/status", headers=here, token=web.token)[0] == 200
    assert web.ask("GET", "/", headers=here)[0] == 200, "the page holds nothing"
    assert web.ask("GET", "/api/status", headers={"Host": "other.example"}, token=web.token)[0] == 403


def test_a_role_may_no_more_than_its_key(cluster):
    """A monitor's web process starts no job, whatever token is shown; a submitter's has no events."""
    for role, submits, events in [("monitor", 403, True), ("submit", 202, False)]:
        key = json.loads(cluster.ok("keys", "add", f"web-{role}", "--role", role, "--dir", cluster.dir / "up", "--json"))["file"]
        web = Web(cluster, key=key)
        assert wait_for(lambda w=web: w.post("/api/jobs", {"kind": "factorial", "spec": "10"})[0]) == submits
        assert web.get("/api/status")["coordinator"]
        metrics = read_metrics(web.ask("GET", "/metrics")[1].decode())
        assert any(name == "conclave_feed_messages_total" for name, _ in metrics) == events


# --- bad input ---

JSON = {"Content-Type": "application/json"}
BAD = [("POST", "/api/jobs", b"", 400), ("POST", "/api/jobs", b"{", 400), ("POST", "/api/jobs", b"[]", 400),
       ("POST", "/api/jobs", b"null", 400), ("POST", "/api/jobs", b"{}", 400), ("POST", "/api/jobs", b"\xff\xfe", 400),
       ("POST", "/api/jobs", b'{"kind":"factorial"}', 400), ("POST", "/api/jobs", b'{"kind":"factorial","spec":10}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"-1"}', 400),
       ("POST", "/api/jobs", b'{"kind":"nothing","spec":"1"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"@/etc/hostname"}', 400),
       ("POST", "/api/jobs", b'{"kind":"product","spec":"@/etc/hostname"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"1","spec":"2"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"1","more":"2"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"1\\u0000"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"' + b"9" * 5000 + b'"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"1","key":"a b"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"1","key":"' + b"k" * 65 + b'"}', 400),
       ("POST", "/api/jobs", b'{"kind":"factorial","spec":"1","plan":"no"}', 400),
       ("POST", "/api/jobs", b"[" * 8000, 400),
       ("PUT", "/api/jobs", None, 405), ("DELETE", "/api/jobs/1-1", None, 405), ("POST", "/api/status", None, 405),
       ("GET", "/nothing", None, 404), ("GET", "/api", None, 404), ("GET", "/api/jobs/", None, 400),
       ("GET", "/api/jobs/x", None, 400), ("GET", "/api/jobs/0-0", None, 400), ("GET", "/api/jobs/1-1/x", None, 404),
       ("GET", "/api/jobs/9-9", None, 404), ("GET", "/api/jobs/9-9/result", None, 404), ("GET", "/../etc/passwd", None, 404),
       ("POST", "/api/jobs/9-9/cancel", None, 404), ("GET", "/api/jobs?limit=0", None, 400),
       ("GET", "/api/jobs?limit=1001", None, 400), ("GET", "/api/jobs?after=x", None, 400),
       ("GET", "/api/jobs?state=no", None, 400), ("GET", "/api/jobs?state=%ff", None, 400),
       # What stands behind a zero byte is not passed over.
       ("GET", "/%00", None, 404), ("GET", "/page.css%00x", None, 404), ("GET", "/api/jobs/1-1%00x", None, 400),
       ("GET", "/api/jobs?limit=1%00", None, 400), ("GET", "/api/jobs?state=done%00x", None, 400)]


@pytest.mark.parametrize("method, path, body, expected", BAD)
def test_bad_input_is_refused_in_json(cluster, web, method, path, body, expected):
    status, got, _ = web.ask(method, path, body, token=web.token)
    assert status == expected
    error = json.loads(got)["error"]
    assert set(error) == {"code", "message", "exit"} and error["message"] and error["exit"]


def test_a_body_that_is_too_long_is_refused_before_it_comes(web):
    head = f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {web.token}\r\nContent-Length: "
    answer = web.raw(f"{head}{BODY_BYTES + 1}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413") and str(BODY_BYTES).encode() in answer


def test_a_body_that_nobody_wants_is_not_kept(cluster):
    """Only who shows the token has a body read; with a GET anybody had a MiB of it kept, on every connection."""
    web = Web(cluster)
    web.get("/api/status")
    before = memory(web.process)
    size = BODY_BYTES - 1000
    held = []
    for _ in range(CONNECTIONS_MAX // 2):
        held.append(socket.create_connection(("127.0.0.1", web.port), timeout=20))
        held[-1].sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * (size - 1))
    web.get("/api/status")
    assert memory(web.process) < before + (10 << 20)
    for connection in held:
        connection.sendall(b"x")
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.close()


def test_bytes_that_are_no_request_are_survived(web):
    for sent in [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"\xff" * 10000 + b"\r\n\r\n",
                 b"GET /api/status HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
                 b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                 b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"]:
        try:
            answer = web.raw(sent)
        except OSError:
            answer = b""
        assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 5")), (sent[:80], answer[:80])
    assert web.get("/api/status")["coordinator"]


def test_other_content_is_refused(web):
    body = b'{"kind":"factorial","spec":"12"}'
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]:
        assert web.ask("POST", "/api/jobs", body, token=web.token, headers={"Content-Type": kind})[0] == 415


# --- what is bounded ---

def test_a_slow_client_is_left_behind(cluster):
    """A request that comes byte by byte is not waited for, and nobody waits for it."""
    web = Web(cluster)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as slow:
        slow.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\nX: ")
        slow.settimeout(0.5)
        while True:
            try:
                slow.sendall(b"y")
                if not slow.recv(1):
                    break
            except TimeoutError:
                assert web.get("/api/status")["coordinator"]
            except OSError:
                break
            assert time.monotonic() - began < seconds(REQUEST_S + 5), "it is still there"
    assert time.monotonic() - began > REQUEST_S / 2


def test_connections_are_bounded_and_come_free(cluster):
    web = Web(cluster)
    held = [socket.create_connection(("127.0.0.1", web.port), timeout=30) for _ in range(CONNECTIONS_MAX + 20)]
    wait_for(lambda: answers(web), 20, "those that say nothing are ended")
    for connection in held:
        connection.close()
    assert read_metrics(web.ask("GET", "/metrics")[1].decode())["conclave_web_connections", ()] <= CONNECTIONS_MAX


def answers(web):
    try:
        return web.ask("GET", "/api/status", timeout=2)[0] == 200
    except OSError:
        return False


def test_readers_of_events_are_bounded(cluster):
    """As many as there may be, of which half never read: the rest get all events, and memory does not grow."""
    web = Web(cluster)
    readers = [Stream(web) for _ in range(STREAMS_MAX // 2)]
    deaf = []
    for _ in range(STREAMS_MAX // 2):
        connection = socket.create_connection(("127.0.0.1", web.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deaf.append(connection)
    streams = ("conclave_web_event_streams", ())
    wait_for(lambda: read_metrics(web.ask("GET", "/metrics")[1].decode())[streams] == STREAMS_MAX)
    assert Stream(web).answer.status == 503
    job = cluster.submit(1000)["id"]
    for reader in readers:
        reader.wait(lambda kind, data, _: kind == "event" and data["event"] == "job_done" and data["job"] == job)
    assert memory(web.process) < 100 << 20
    for it in [*readers, *deaf]:
        it.close()
    wait_for(lambda: read_metrics(web.ask("GET", "/metrics")[1].decode())[streams] == 0, 40, "they are forgotten")
    assert Stream(web).answer.status == 200


# --- events ---

def test_a_reader_goes_on_where_it_was(cluster, web):
    first = Stream(web)
    job = cluster.submit(1000)["id"]
    done = first.wait(lambda kind, data, _: kind == "event" and data["event"] == "job_done" and data["job"] == job)
    first.close()
    later = cluster.submit(1001)["id"]
    second = Stream(web, last=done[2])
    second.wait(lambda kind, data, _: kind == "event" and data["event"] == "job_done" and data["job"] == later)
    numbers = [number for _, _, number in second.messages if number]
    assert numbers == list(range(done[2] + 1, done[2] + 1 + len(numbers)))
    second.wait(lambda kind, data, _: kind == "status" and data["coordinator"])
    nodes = second.wait(lambda kind, data, _: kind == "nodes" and len(data) == cluster.n_nodes)[1]
    assert all(row["type"] == "heartbeat" for row in nodes.values())
    second.close()


@pytest.mark.alone
def test_a_stream_outlives_the_coordinator(make_cluster):
    """kill -9 while a stream is open: it stays open, and tells of the next one within a second."""
    cluster = make_cluster(nodes=5).start()
    cluster.wait_healthy()
    web = Web(cluster)
    stream = Stream(web)
    old = stream.wait(lambda kind, data, _: kind == "status" and data["coordinator"])[1]
    job = web.post("/api/jobs", {"kind": "factorial", "spec": "1000000"})[1]["id"]
    killed = time.monotonic()
    cluster.kill_coordinator(old)
    stream.wait(lambda kind, data, _: kind == "event" and data["event"] == "elected" and data["term"] > old["term"])
    assert time.monotonic() - killed < seconds(1) and not stream.ended
    stream.wait(lambda kind, data, _: kind == "status" and data["coordinator"] and data["term"] > old["term"])
    assert time.monotonic() - killed < seconds(2)
    wait_for(lambda: web.get(f"/api/jobs/{job}")["state"] == "done", 30)
    stream.close()


def test_without_a_coordinator_it_says_so_and_comes_back(make_cluster):
    cluster = make_cluster(nodes=3).start()
    cluster.wait_healthy()
    web = Web(cluster)
    for node in (1, 2):
        cluster.kill(cluster.nodes[node])
    wait_for(lambda: web.ask("GET", "/api/status")[0] == 503, 20)
    status, body, _ = web.ask("GET", "/api/status")
    assert status == 503 and json.loads(body)["coordinator"] is None
    assert read_metrics(web.ask("GET", "/metrics")[1].decode())["conclave_up", ()] == 0
    status, error = web.post("/api/jobs", {"kind": "factorial", "spec": "10"})
    assert status == 503 and error["error"]["exit"] == 3
    cluster.start_node(1)
    wait_for(lambda: web.ask("GET", "/api/status")[0] == 200, 20)
    cluster.brokers[0].kill()
    status, body, _ = web.ask("GET", "/api/status")
    assert status == 503 and "no broker answers" in json.loads(body)["error"]["message"]


def test_a_signal_ends_it_at_once(cluster):
    web = Web(cluster)
    stream = Stream(web)
    stream.wait(lambda kind, data, _: kind == "status")
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(seconds(2)) == OK
    wait_for(lambda: stream.ended)


# --- what is made of the metrics ---

PACKAGING = pathlib.Path(__file__).resolve().parents[2] / "packaging"


def test_alerts_and_dashboard_name_metrics_that_exist(cluster, web):
    cluster.ok("snapshot", "take")
    names = {name for name, _ in read_metrics(web.ask("GET", "/metrics")[1].decode())}
    dashboard = json.loads((PACKAGING / "grafana-dashboard.json").read_text(encoding="utf-8"))
    used = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    used += re.findall(r"^ +expr: (.*)$", (PACKAGING / "conclave-alerts.yml").read_text(encoding="utf-8"), re.M)
    assert len(used) > 25
    for expression in used:
        for name in re.findall(r"\bconclave_\w+", expression):
            assert name in names, f"{name} in {expression}"


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: Debian's package prometheus is not installed")
@pytest.mark.parametrize("what, file", [("rules", "conclave-alerts.yml"), ("config", "prometheus.yml")])
def test_promtool_takes_what_is_packaged(what, file):
    done = subprocess.run(["promtool", "check", what, file], cwd=PACKAGING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

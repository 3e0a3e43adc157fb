"""Issue 2: "the digits equal those of another implementation", "in the trace of any n ..."."""
import hashlib
import math
import re
import time

import pytest

from harness import OK, seconds

NUMBERS = [0, 1, 2, 4, 5, 10, 16, 17, 64, 65, 1000, 20000, 100000]
TRACED = [0, 1, 2, 3, 4, 5, 7, 10, 16, 17, 64, 65, 257, 1000, 4099]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def operations_of(n):
    """The number of operations of n!, by the rule: four operands, a lone one is passed on."""
    leaves, total = max(n, 1), 0
    if leaves == 1:
        return 1
    while leaves > 1:
        total += -(-leaves // 4) - (leaves % 4 == 1)
        leaves = -(-leaves // 4)
    return total


@pytest.mark.parametrize("n", NUMBERS)
def test_the_digits_equal_those_of_another_implementation(cluster, n):
    digits = str(math.factorial(n))
    job = cluster.submit(n)
    assert job["kind"] == "factorial" and job["spec"] == str(n) and job["state"] == "done"
    assert job["error"] is None
    assert re.fullmatch(r"\d+-\d+", job["id"])
    assert re.fullmatch(TIME, job["submitted"]) and re.fullmatch(TIME, job["finished"])
    assert job["submitted"] <= job["finished"]
    total = operations_of(n)
    assert job["operations"] == {"done": total, "total": total, "executed": total}
    result = job["result"]
    assert result["digits"] == len(digits)
    assert result["sha256"] == hashlib.sha256(digits.encode()).hexdigest()
    if len(digits) <= 1000:
        assert result["text"] == digits
    assert cluster.json("job", "show", job["id"]) == job
    assert cluster.ok("job", "result", job["id"]).rstrip("\n") == digits
    assert cluster.ok("job", "wait", job["id"]).rstrip("\n") == f"{n}!={digits}"


def test_submit_prints_the_result(cluster):
    done = cluster.conclave("submit", "factorial", 10)
    assert (done.returncode, done.stdout, done.stderr) == (OK, "10!=3628800\n", "")
    assert cluster.ok("submit", "factorial", 1000) == f"1000!={math.factorial(1000)}\n"


def test_submit_writes_the_digits_to_a_file(cluster):
    cluster.ok("submit", "factorial", 20000, "--output", "digits")
    assert (cluster.dir / "digits").read_text().rstrip("\n") == str(math.factorial(20000))


def test_100000_takes_less_than_5_s_with_5_workers(cluster):
    began = time.monotonic()
    cluster.submit(100000)
    assert time.monotonic() - began < seconds(5)


def test_1000000_completes(cluster):
    job = cluster.submit(1000000, timeout=60)
    assert job["result"]["digits"] == 5565709
    text = cluster.ok("job", "result", job["id"]).rstrip("\n")
    assert hashlib.sha256(text.encode()).hexdigest() == job["result"]["sha256"]
    # Modulo a Mersenne prime both ways; and Legendre's formula for the zeros at the end.
    prime, expected, remainder = 2 ** 61 - 1, 1, 0
    for factor in range(2, 1000001):
        expected = expected * factor % prime
    for at in range(0, len(text), 1000):
        chunk = text[at:at + 1000]
        remainder = (remainder * pow(10, len(chunk), prime) + int(chunk)) % prime
    assert remainder == expected
    zeros = sum(1000000 // 5 ** k for k in range(1, 9))
    assert text.endswith("0" * zeros) and not text.endswith("0" * (zeros + 1))


def test_10_is_exactly_R1_to_R4_of_the_seed(cluster):
    job = cluster.submit(10)
    trace = cluster.json("job", "show", job["id"], "--ops")["trace"]
    assert [(op["name"], op["operator"], op["operands"]) for op in trace] == [
        ("R1", "multiply", ["10", "9", "8", "7"]),
        ("R2", "multiply", ["6", "5", "4", "3"]),
        ("R3", "multiply", ["2", "1"]),
        ("R4", "multiply", ["R1", "R2", "R3"]),
    ]
    coordinator = cluster.status()["coordinator"]
    for op in trace:
        assert op["attempt"] == 1
        assert op["node"] in set(range(1, 7)) - {coordinator}


@pytest.mark.parametrize("n", TRACED)
def test_the_trace_is_a_computation_by_workers_of_at_most_4_operands(cluster, n):
    job = cluster.submit(n)
    trace = cluster.json("job", "show", job["id"], "--ops")["trace"]
    coordinator = cluster.status()["coordinator"]
    assert len(trace) == job["operations"]["total"]
    values, used = {}, set()
    for number, op in enumerate(trace, 1):
        assert op["name"] == f"R{number}" and op["operator"] == "multiply"
        assert 1 <= len(op["operands"]) <= 4
        assert len(op["operands"]) > 1 or n <= 1
        assert op["node"] != coordinator and 1 <= op["node"] <= 6
        for operand in op["operands"]:
            assert operand not in used
            used.add(operand)
        values[op["name"]] = math.prod(values[o] if o[0] == "R" else int(o)
                                       for o in op["operands"])
    assert values[f"R{len(trace)}"] == math.factorial(n)
    if n >= 64:
        assert {op["node"] for op in trace} == set(range(1, 7)) - {coordinator}


def test_a_trace_that_is_too_long_is_null(cluster):
    job = cluster.submit(20000)
    assert cluster.json("job", "show", job["id"], "--ops")["trace"] is None


def test_status_counts_add_up_to_the_operations_of_the_jobs(cluster):
    for n in (3, 100, 5000):
        cluster.submit(n)
    status, jobs = cluster.status(), cluster.json("job", "list")
    assert all(job["state"] == "done" for job in jobs)
    total = sum(job["operations"]["total"] for job in jobs)
    assert sum(node["operations"] for node in status["nodes"]) == total
    assert sum(node["conversions"] for node in status["nodes"]) == len(jobs)
    assert status["operations"] == total
    assert status["jobs"] == {"queued": 0, "running": 0, "done": len(jobs), "failed": 0,
                              "cancelled": 0}
    row = next(node for node in status["nodes"] if node["id"] == status["coordinator"])
    assert row["operations"] == 0 and row["conversions"] == 0  # the coordinator computes nothing


def test_status_has_the_shape_that_scripts_rely_on(cluster):
    status = cluster.status()
    assert status["healthy"] is True and status["quorum"] == 3 and status["term"] >= 1
    assert [node["id"] for node in status["nodes"]] == [1, 2, 3, 4, 5, 6]
    for node in status["nodes"]:
        assert {"id", "host", "pid", "role", "alive", "incarnation", "operations", "held",
                "applied", "rejected"} <= set(node)
        assert node["alive"] is True
        assert node["pid"] == cluster.nodes[node["id"]].pid
        expected = "coordinator" if node["id"] == status["coordinator"] else "worker"
        assert node["role"] == expected


def test_the_log_shows_the_end_of_each_job(cluster):
    cluster.submit(10)
    cluster.submit(5000)
    log = "".join((cluster.dir / f"node{i}.log").read_text() for i in cluster.nodes)
    assert "10!=3628800" in log
    digits = str(math.factorial(5000))
    line = next(line for line in log.splitlines() if "5000!=" in line)
    assert digits[:20] in line and digits[-20:] in line and str(len(digits)) in line
    assert len(line) < 200

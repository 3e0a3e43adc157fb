"""Results that are converted to text in pieces, by several workers: their digits, whoever is killed on the way. R14, T5 of the
statements."""
import hashlib
import json
import signal

from harness import OK, factorial_digits, seconds, wait_for

PIECES_FROM = 1000  # digits
N = 20000           # 77,338 digits
LARGE = 1000001     # 5.6 million digits
PRIME = (1 << 61) - 1
CONVERTING = ("quotient", "rest", "piece", "join")


def trace_of(cluster, job):
    shown = cluster.conclave("job", "show", job, "--ops", "--json")
    return json.loads(shown.stdout)["trace"] if shown.returncode == OK else None


def begin(cluster, n=N):
    """Submits; returns the job's id."""
    return cluster.ok("submit", "factorial", n, "--plan", "primes", "--no-wait").strip()


def maker_of(cluster, job, operator, index=0):
    """The node that executed the operation of that name, as soon as one has."""
    def find():
        rows = [row for row in trace_of(cluster, job) or [] if row["operator"] == operator]
        return rows and rows[index]["node"]
    return wait_for(find, 40, f"the first {operator} is done")


def text_of(cluster, job):
    done = cluster.conclave("job", "wait", job, "--timeout", "2m", timeout=150)
    assert done.returncode == OK, done.stderr
    return cluster.ok("job", "result", job, timeout=60).strip()


def residue(digits):
    """Of a decimal text, modulo a prime; piece by piece, because Python needs minutes for the whole."""
    step, value = 4000, 0
    for at in range(0, len(digits), step):
        piece = digits[at:at + step]
        value = (value * pow(10, len(piece), PRIME) + int(piece)) % PRIME
    return value


def factorial_residue(n):
    value = 1
    for factor in range(2, n + 1):
        value = value * factor % PRIME
    return value


def test_a_text_made_in_pieces_has_all_its_digits(make_cluster):
    cluster = make_cluster(nodes=4, pieces_from=PIECES_FROM).start()
    cluster.wait_healthy(20)
    job = begin(cluster)
    assert text_of(cluster, job) == factorial_digits(N)
    operators = [row["operator"] for row in trace_of(cluster, job)]
    assert [operators.count(name) for name in CONVERTING] == [1, 1, 2, 0]  # two pieces for three workers
    pieces = {row["node"] for row in trace_of(cluster, job) if row["operator"] == "piece"}
    assert len(pieces) == 2, "each by another worker"
    plain = cluster.json("submit", "factorial", N, "--plan", "tree", timeout=60)
    assert plain["result"]["sha256"] == hashlib.sha256(factorial_digits(N).encode()).hexdigest()
    assert not any(row["operator"] in CONVERTING for row in plain.get("trace") or [])


def test_a_large_text_is_that_of_the_number(make_cluster):
    cluster = make_cluster(nodes=6, pieces_from=1500000).start()
    cluster.wait_healthy(20)
    job = begin(cluster, LARGE)
    digits = text_of(cluster, job)
    assert residue(digits) == factorial_residue(LARGE)
    assert sum(row["operator"] == "piece" for row in trace_of(cluster, job)) == 2


def test_a_worker_and_the_coordinator_are_killed_during_a_conversion(make_cluster):
    """T5: what is done is not done again but for what was lost, and no digit is wrong."""
    cluster = make_cluster(nodes=6, pieces_from=PIECES_FROM, delay="300ms").start()
    status = cluster.wait_healthy(20)
    job = begin(cluster)
    worker = maker_of(cluster, job, "quotient")  # it holds the higher half
    if worker != status["coordinator"]:
        cluster.kill(cluster.nodes[worker])
        cluster.start_node(worker)
    maker_of(cluster, job, "piece")
    since = cluster.feed.mark()
    old = cluster.kill_coordinator()
    cluster.wait_next(old, since)
    assert text_of(cluster, job) == factorial_digits(N)
    row = cluster.json("job", "show", job)
    assert row["state"] == "done" and row["operations"]["done"] == row["operations"]["total"]
    cluster.start_node(old["coordinator"])
    cluster.wait_healthy(20)
    assert cluster.ok("job", "result", job, timeout=60).strip() == factorial_digits(N)


def test_workers_that_are_stopped_during_a_conversion_keep_nobody_waiting(make_cluster):
    cluster = make_cluster(nodes=6, pieces_from=PIECES_FROM, delay="200ms").start()
    cluster.wait_healthy(20)
    job = begin(cluster)
    worker = maker_of(cluster, job, "rest")
    cluster.nodes[worker].send_signal(signal.SIGSTOP)
    try:
        assert text_of(cluster, job) == factorial_digits(N)
    finally:
        cluster.nodes[worker].send_signal(signal.SIGCONT)


def test_a_snapshot_during_a_conversion_is_verified(make_cluster):
    cluster = make_cluster(nodes=6, pieces_from=PIECES_FROM, delay="300ms").start()
    cluster.wait_healthy(20)
    job = begin(cluster)
    maker_of(cluster, job, "quotient")
    number = cluster.json("snapshot", "take")["snapshot_id"]
    assert cluster.conclave("snapshot", "verify", number, timeout=60).returncode == OK
    assert text_of(cluster, job) == factorial_digits(N)


def test_a_result_beyond_the_limit_is_refused_before_it_is_computed(make_cluster):
    cluster = make_cluster(nodes=3, max_result="1M", pieces_from=PIECES_FROM).start()
    cluster.wait_healthy(20)
    for spec in ("1000000", "10^10", "18446744073709551615"):
        for plan in ("tree", "primes"):
            done = cluster.conclave("submit", "factorial", spec, "--plan", plan, timeout=seconds(20))
            assert done.returncode != OK and len(done.stderr.splitlines()) == 1 and "--max-result" in done.stderr, done.stderr
    assert not cluster.status()["jobs"]["running"]
    assert text_of(cluster, begin(cluster)) == factorial_digits(N)

"""Jobs of all kinds, as people write them, on real processes."""
import math
import re

import pytest

import harness
from harness import OK, USAGE

LARGE = 300_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("kinds"), nodes=3)


def primorial(n):
    sieve, product = bytearray([1]) * (n + 1), 1
    for i in range(2, n + 1):
        if sieve[i]:
            product *= i
            sieve[i * i::i] = bytes(len(range(i * i, n + 1, i)))
    return product


@pytest.mark.parametrize("words,said", [
    (["primorial", 30], "30#=6469693230"), (["primorial", 0], "0#=1"), (["primorial", "1_0e0"], "10#=210"),
    (["binomial", 10, 3], "C(10,3)=120"), (["binomial", 5, 7], "C(5,7)=0"), (["binomial", 0, 0], "C(0,0)=1"),
    (["binomial", "10^12", 2], "C(1000000000000,2)=499999999999500000000000"), (["factorial", "1e1"], "10!=3628800"),
    (["pi", 0], "pi=3"), (["pi", 1], "pi=3.1"), (["pi", 50], "pi=3.14159265358979323846264338327950288419716939937510"),
    (["e", 0], "e=2"), (["e", 20], "e=2.71828182845904523536"),
    (["binomial", 18446744073709551615, 1], "C(18446744073709551615,1)=18446744073709551615")])
def test_a_job_of_each_kind_has_its_result(cluster, words, said):
    assert cluster.ok("submit", *words) == said + "\n"


@pytest.mark.parametrize("words,label,value", [
    (["primorial", LARGE], f"{LARGE}#", lambda: primorial(LARGE)),
    (["binomial", "3*10^5", "100_000"], f"C({LARGE},100000)", lambda: math.comb(LARGE, 100_000))])
def test_large_ones_have_all_digits(cluster, words, label, value, tmp_path):
    cluster.ok("submit", *words, "--output", tmp_path / "digits")
    assert int((tmp_path / "digits").read_text(encoding="ascii")) == value()
    row = next(job for job in cluster.json("job", "list") if job["kind"] == words[0] and job["spec"].startswith(str(LARGE)))
    assert row["operations"]["done"] == row["operations"]["total"] == row["operations"]["executed"] > 4
    assert label in cluster.ok("job", "list")


def test_an_operation_over_many_integers_counts_as_one(cluster, tmp_path):
    """It counted as many as a tree of them would have, and a job said that it had repeated nearly all."""
    numbers = range(3, 5000, 2)
    (tmp_path / "n.txt").write_text("".join(f"{n}\n" for n in numbers), encoding="ascii")
    cluster.ok("submit", "product", f"@{tmp_path / 'n.txt'}", "--output", tmp_path / "digits")
    assert int((tmp_path / "digits").read_text(encoding="ascii")) == math.prod(numbers)
    row = next(job for job in cluster.json("job", "list") if job["kind"] == "product")
    assert row["operations"]["done"] == row["operations"]["total"] == row["operations"]["executed"]
    assert "repeated" not in cluster.ok("job", "show", row["id"], "--timing")


def pi_digits(decimals):
    """By Machin's formula (1706), which is not what the cluster computes by."""
    unity = 10 ** (decimals + 20)

    def arctan(x):
        power = total = unity // x
        k = 1
        while power:
            power //= x * x
            total += power // (2 * k + 1) * (-1) ** k
            k += 1
        return total
    text = str((16 * arctan(5) - 4 * arctan(239)) // 10 ** 20)
    return f"3.{text[1:]}"


def e_digits(decimals):
    term = unity = 10 ** (decimals + 20)
    total, k = 0, 1
    while term:
        total += term
        term //= k
        k += 1
    text = str(total // 10 ** 20)
    return f"2.{text[1:]}"


def text_of(cluster, words, path):
    cluster.ok("submit", *words, "--output", path)
    return path.read_text(encoding="ascii").rstrip("\n")


def test_pi_and_e_have_all_decimals(cluster, tmp_path):
    """Values that several operations use stay with their makers: at 20000 decimals they ride in messages, at 400000 not."""
    assert text_of(cluster, ["pi", 20000], tmp_path / "pi") == pi_digits(20000)
    assert text_of(cluster, ["e", 20000], tmp_path / "e") == e_digits(20000)
    long = text_of(cluster, ["pi", 400_000], tmp_path / "long")
    assert len(long) == 400_002 and long.startswith(pi_digits(20000))
    row = next(job for job in cluster.json("job", "list") if job["kind"] == "pi" and job["spec"] == "400000")
    assert row["operations"]["done"] == row["operations"]["total"] == row["operations"]["executed"]


def test_pi_is_right_though_its_coordinator_and_a_worker_are_killed(make_cluster, tmp_path):
    cluster = make_cluster(delay="50ms").start()
    status = cluster.wait_healthy()
    client = cluster.start_conclave("submit", "pi", 20000, "--output", tmp_path / "pi")

    def runs(part):
        done = cluster.conclave("job", "list", "--json")
        jobs = harness.json.loads(done.stdout) if done.returncode == OK else []
        return any(job["kind"] == "pi" and job["operations"]["done"] >= part * job["operations"]["total"] for job in jobs)
    for part in (0.2, 0.5):
        harness.wait_for(lambda part=part: runs(part), 30, f"{part:.0%} are done", pause=0.05)
        status = cluster.wait_served()
        worker = next(node for node in cluster.nodes if node != status["coordinator"])
        for node in (status["coordinator"], worker):
            cluster.kill(cluster.nodes[node])
            cluster.start_node(node)
    out, err = client.communicate(timeout=harness.seconds(60))
    assert client.returncode == OK, (out, err)
    assert (tmp_path / "pi").read_text(encoding="ascii").rstrip("\n") == pi_digits(20000)


@pytest.mark.parametrize("words,why", [
    (["primorial"], "such as `primorial 30`"), (["primorial", "4294967296"], "at most 4294967295"), (["primorial", -3], "'-3'"),
    (["binomial", 10], "two whole numbers"), (["binomial", 10, "x"], "'10 x'"), (["binomial", "1e12", "5e11"], "at most 4294967295"),
    (["factorial", "1.5"], "'1.5'"), (["factorial", "2^64"], "too large"), (["sum", 1, 2], "known: factorial, primorial, binomial")])
def test_what_is_no_job_is_refused_in_one_line_and_submits_nothing(cluster, words, why):
    before = cluster.json("job", "list")
    done = cluster.conclave("submit", "--", *words)
    assert done.returncode == USAGE and len(done.stderr.splitlines()) == 1 and why in done.stderr, done
    assert cluster.json("job", "list") == before


def test_a_kind_without_a_tree_refuses_one(cluster):
    done = cluster.conclave("submit", "primorial", 30, "--plan", "tree")
    assert done.returncode == USAGE and "one plan only" in done.stderr


def test_help_and_kinds_name_each_kind_with_an_example(cluster):
    said, listed = cluster.ok("help", "submit"), cluster.ok("kinds")
    rows = cluster.json("kinds")
    assert {"factorial", "primorial", "binomial", "product", "batch-gcd", "pi", "e"} <= {row["kind"] for row in rows}
    for row in rows:
        example = f"{row['kind']} {row['example']}"
        assert example in said and example in listed and row["about"] in listed
        if row["kind"] in ("factorial", "primorial", "binomial", "pi", "e"): # the others take stored values, too
            assert cluster.conclave("submit", *example.split()).returncode == OK
    assert re.search(r"1e6.*10\^6", said)


def test_the_coordinator_is_killed_in_the_midst_of_a_binomial(make_cluster):
    cluster = make_cluster(nodes=3, delay="100ms").start()
    coordinator = cluster.wait_healthy()["coordinator"]
    job = cluster.start_conclave("submit", "binomial", 40000, 20000)
    cluster.feed.wait(lambda message: message.get("event") == "job_accepted", 10)
    cluster.kill(cluster.nodes[coordinator])
    out, errors = job.communicate(timeout=60)
    assert job.returncode == OK, errors
    assert out == f"C(40000,20000)={math.comb(40000, 20000)}\n"

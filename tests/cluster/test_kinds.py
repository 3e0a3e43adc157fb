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
    assert row["operations"]["done"] == row["operations"]["total"] > 4
    assert label in cluster.ok("job", "list")


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
    assert [row["kind"] for row in rows] == ["factorial", "primorial", "binomial"]
    for row in rows:
        example = f"{row['kind']} {row['example']}"
        assert example in said and example in listed and row["about"] in listed
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

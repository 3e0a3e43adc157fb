"""pi, e, primorials and binomial coefficients equal what PARI/GP (Debian's pari-gp) computes: an oracle that shares no line with the
cluster, in small, middle and large sizes."""
import hashlib
import subprocess

import pytest

import harness

# Digits that gp computes beyond those that are compared, and its largest stack in bytes: a million digits take 32 MiB.
GUARD, STACK = 20, 1 << 30


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("oracles"), nodes=3)


def gp(path, program):
    """What the program writes to FILE, as text without line ends."""
    script = f'default(parisizemax, {STACK});\n' + program.replace("FILE", f'"{path}"') + "\n"
    done = subprocess.run(["gp", "-q", "-f"], input=script, capture_output=True, text=True, timeout=harness.seconds(60), check=False)
    assert done.returncode == 0 and path.exists(), done
    return path.read_text(encoding="ascii").replace("\n", "")


def decimals(path, value, n):
    """Cut after so many, as the cluster has them: gp rounds, so a few more are asked for."""
    text = gp(path, f"default(realprecision, {n + GUARD});\nwrite(FILE, {value});")
    return text[:n + 2]


def computed(cluster, words, path):
    cluster.ok("submit", *words, "--output", path, timeout=60)
    return path.read_text(encoding="ascii").rstrip("\n")


def same(one, other):
    """Not the texts themselves: pytest would show a million digits."""
    return len(one) == len(other) and hashlib.sha256(one.encode()).digest() == hashlib.sha256(other.encode()).digest()


@pytest.mark.parametrize("n", [10, 10_000, 1_000_000])
@pytest.mark.parametrize("kind,value", [("pi", "Pi"), ("e", "exp(1)")])
def test_pi_and_e_equal_those_of_gp(cluster, tmp_path, kind, value, n):
    text = computed(cluster, [kind, n], tmp_path / "ours")
    assert len(text) == n + 2 and same(text, decimals(tmp_path / "gp", value, n))


@pytest.mark.parametrize("n", [1, 2, 30, 10_007, 200_000, 2_000_000])
def test_primorials_equal_those_of_gp(cluster, tmp_path, n):
    text = computed(cluster, ["primorial", n], tmp_path / "ours")
    assert same(text, gp(tmp_path / "gp", f"write(FILE, factorback(primes([1, {n}])));"))


@pytest.mark.parametrize("count", [1, 25, 10_000, 100_000])
def test_products_of_the_first_primes_equal_those_of_gp(cluster, tmp_path, count):
    text = computed(cluster, ["primorial", "--first", count], tmp_path / "ours")
    assert same(text, gp(tmp_path / "gp", f"write(FILE, factorback(primes({count})));"))


@pytest.mark.parametrize("n,k", [(0, 0), (7, 7), (60, 30), (10**15, 4), (4_294_967_291, 5_000), (20_000, 9_999), (3_000_000, 1_500_000),
                                 (10_000_000, 30_000)])
def test_binomials_equal_those_of_gp(cluster, tmp_path, n, k):
    text = computed(cluster, ["binomial", n, k], tmp_path / "ours")
    assert same(text, gp(tmp_path / "gp", f"write(FILE, binomial({n}, {k}));"))


def test_one_digit_that_is_another_is_seen(tmp_path):
    """The oracle is not the cluster's text by mistake: what it says of pi is known, and a wrong last digit differs."""
    text = decimals(tmp_path / "gp", "Pi", 50)
    assert text == "3.14159265358979323846264338327950288419716939937510"
    assert not same(text, text[:-1] + "1")

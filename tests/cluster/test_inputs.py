"""Integers from files, arguments, stdin and stored values, and what becomes of them, as people see it. The cluster is a double
that keeps to docs/protocol.md, so that it can lose what a real one loses seldom."""
import hashlib
import json
import math
import os
import pty
import random
import signal
import subprocess

import pytest

import harness
import values_double
from harness import FAILED, NOT_FOUND, OK, USAGE

MIB = 1 << 20


@pytest.fixture
def double():
    running = []

    def start(**faults):
        ports = harness.Ports(1, 1)
        one = values_double.Double(ports.base, **faults)
        running.append((one, ports))
        one.start()
        return Client(one)
    yield start
    for one, ports in running:
        one.close()
        ports.release()


class Client:
    def __init__(self, double):
        self.double = double
        self.env = harness.clean_environment(CONCLAVE_INSECURE="1", CONCLAVE_BROKER=f"tcp://127.0.0.1:{double.port}")

    def start(self, *words, **more):
        return subprocess.Popen([str(harness.BIN / "conclave"), *map(str, words)], env=self.env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def run(self, *words, stdin=b"", cwd=None):
        process = self.start(*words, cwd=cwd)
        out, errors = process.communicate(stdin, timeout=harness.seconds(60))
        return process.returncode, out.decode(), errors.decode()

    def ok(self, *words, **more):
        code, out, errors = self.run(*words, **more)
        assert code == OK, errors
        return out

    def terminal(self, *words):
        """What a terminal of 80 columns shows of stdout."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([str(harness.BIN / "conclave"), *map(str, words)], env=self.env, stdout=theirs,
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65536):
                shown += more
        except OSError:
            pass  # the end of a terminal
        os.close(ours)
        assert process.wait(timeout=harness.seconds(30)) == OK
        return shown.decode().replace("\r\n", "\n")


def numbers_file(path, numbers, line="{}\n"):
    path.write_text("".join(line.format(number) for number in numbers), encoding="ascii")
    return path


# --- what is wrong -------------------------------------------------------------------------------

@pytest.mark.parametrize("words,text,said", [
    (["product", "@n.txt"], "1\n\n12x\n", "n.txt:3: '12x' is not an integer\n"),
    (["product", "12", "x"], "", "conclave: 'x' is not an integer\n"),
    (["product", "n.txt"], "1\n", "@n.txt reads integers from that file"),
    (["product", "@other.txt"], "1\n", "cannot read other.txt"), (["product"], "", "product takes integers"),
    (["product", "-"], "", "@- reads integers from stdin"), (["product", "@-", "@-"], "", "stdin can be read only once"),
    (["product", "value:12"], "", "4 to 64 hexadecimal digits"), (["product", "job:x"], "", "looks like job:3-17"),
    (["product", "12", "--against", "@n.txt"], "1\n", "product takes no --against"),
    (["product", "@n.txt", "--base", "12"], "1\n", "--base takes 10 or 16"),
    (["product", "0x1f"], "", "--base 16 reads hexadecimal ones"),
    (["factorial", "10", "--base", "16"], "", "is for kinds that read integers"),
    (["batch-gcd", "@n.txt"], "15\n0\n", "n.txt:2: '0' is not positive"),
    (["batch-gcd", "15", "21", "--against", "@n.txt"], "-3\n", "n.txt:1: '-3' is not positive"),
    (["batch-gcd", "@n.txt"], "# none\n", "no integer to look for factors of"),
    (["factorial", "10", "--exit-status"], "", "is for batch-gcd")])
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_sent(double, tmp_path, words, text, said):
    client = double()
    (tmp_path / "n.txt").write_text(text, encoding="ascii")
    code, out, errors = client.run("submit", *words, cwd=tmp_path)
    assert (code, out) == (USAGE, "") and said in errors and len(errors.splitlines()) == 1, errors
    assert not client.double.values and not client.double.jobs


def test_ten_bad_lines_are_shown_and_the_others_are_counted(double, tmp_path):
    client = double()
    path = numbers_file(tmp_path / "n.txt", range(5000), "{}\nx{}\n".replace("x{}", "y"))
    code, _, errors = client.run("submit", "product", f"@{path}")
    assert code == USAGE
    assert errors.splitlines() == [f"{path}:{2 * i + 2}: 'y' is not an integer" for i in range(10)] + \
        ["conclave: and 4990 more that are wrong"]


def test_a_file_of_jobs_with_bad_integers_submits_nothing(double, tmp_path):
    client = double()
    (tmp_path / "n.txt").write_text("1\nx\n", encoding="ascii")
    (tmp_path / "jobs").write_text("product 2 3\nproduct @n.txt\nproduct @-\n", encoding="ascii")
    code, out, errors = client.run("submit", "--file", "jobs", cwd=tmp_path)
    assert (code, out) == (USAGE, "") and not client.double.values
    assert errors.splitlines() == ["n.txt:2: 'x' is not an integer", "conclave: line 2: its integers cannot be used",
                                   "conclave: line 3: @- works only for a single job; lines of a file must name files",
                                   "conclave: nothing was submitted"]


# --- products ------------------------------------------------------------------------------------

@pytest.mark.parametrize("words,stdin,said", [
    (["12", "-5", "7"], b"", "product(3 integers)=-420\n"), (["0", "5"], b"", "product(2 integers)=0\n"),
    (["@-"], b"", "product(0 integers)=1\n"), (["@-"], b"42", "product(1 integers)=42\n"),
    (["@-"], b"# x\r\n1_0\r\n\r\n2e1\r\n", "product(2 integers)=200\n"),
    (["@-"], values_double.gzip(b"3\n4\n"), "product(2 integers)=12\n"),
    (["@-", "10^2", "2"], b"-1\n", "product(3 integers)=-200\n"), (["ff", "-0x10", "--base", "16"], b"", "product(2 integers)=-4080\n")])
def test_products_of_what_people_type(double, words, stdin, said):
    assert double().ok("submit", "product", *words, stdin=stdin) == said


def test_a_file_is_uploaded_once_in_about_64_segments(double, tmp_path):
    client, generator = double(), random.Random(1)
    numbers = [0] + [generator.randrange(-10**40, 10**40) for _ in range(99_999)]  # 0: for the double's sake
    path = numbers_file(tmp_path / "numbers.txt", numbers)
    code, job, errors = client.run("submit", "product", f"@{path}", "--no-wait")
    assert code == OK and job.startswith("1-"), errors
    value = client.double.values[0]
    assert "conclave: 100000 integers, " in errors and " uploaded in " in errors and f"as value:{value.sha256.hex()[:16]}" in errors
    assert values_double.unpack_integers(value.bytes()) == numbers
    assert 60 <= len(value.segments) <= 66 and value.name == "numbers.txt"
    sent = client.double.puts
    (tmp_path / "same.gz").write_bytes(values_double.gzip(b"# the same\n" + path.read_bytes().replace(b"\n", b"\r\n")))
    code, _, errors = client.run("submit", "product", f"@{tmp_path / 'same.gz'}", "--no-wait")
    assert code == OK and "uploaded before as value:" in errors and client.double.puts == sent


def test_a_result_and_a_stored_value_are_inputs(double, tmp_path):
    client = double()
    job = client.ok("submit", "product", 6, 7, "--no-wait").strip()
    assert client.ok("submit", "product", f"job:{job}", 10) == "product(2 integers)=420\n"
    list_of = client.ok("value", "put", "-", "--format", "integers", stdin=b"2\n3\n").strip()
    begun = client.double.begun
    assert client.ok("submit", "product", list_of) == "product(2 integers)=6\n"
    assert client.double.begun == begun  # nothing is uploaded
    text = client.ok("value", "put", "-", stdin=b"5\n# no\n7\n").strip()
    assert client.ok("submit", "product", text, list_of[:12], -1) == "product(5 integers)=-210\n"


def test_lines_of_a_file_name_files(double, tmp_path):
    client = double()
    numbers_file(tmp_path / "n.txt", [2, 3, 5])
    (tmp_path / "jobs").write_text("product @n.txt\nproduct ff -1 --base 16 # hexadecimal\nbatch-gcd 6 10 --against 5\n",
                                   encoding="ascii")
    assert client.ok("submit", "--file", "jobs", cwd=tmp_path) == \
        "product(3 integers)=30\nproduct(2 integers)=-255\n1\t2\t2\n2\t1,k1\ta\n"


# --- batch-gcd -----------------------------------------------------------------------------------

MODULI = "# keys\n15\n21\n\n77\n13\n1\n15\n"


def test_common_factors_are_rows_with_the_lines_of_the_file(double, tmp_path):
    client = double()
    (tmp_path / "m.txt").write_text(MODULI, encoding="ascii")
    rows = "2\t3,8\tf\n3\t2,5,8\t15\n5\t3\t7\n8\t2,3\tf\n"
    assert client.ok("submit", "batch-gcd", "@m.txt", cwd=tmp_path) == rows
    assert client.ok("submit", "batch-gcd", "@-", stdin=MODULI.encode()) == rows
    # What does not come from one file is counted.
    assert client.ok("submit", "batch-gcd", 15, 21, 77) == "1\t2\t3\n2\t1,3\t15\n3\t2\t7\n"
    told = json.loads(client.ok("submit", "batch-gcd", "@m.txt", "--json", cwd=tmp_path))
    assert told["moduli"] == 6 and told["shared"] == 4 and told["duplicates"] == 2 and told["id"].startswith("1-")
    assert told["rows"][0] == {"line": 2, "with": [3, 8], "known": [], "gcd": "f", "duplicate": True}
    client.ok("submit", "batch-gcd", "@m.txt", "--output", "rows", cwd=tmp_path)
    assert (tmp_path / "rows").read_text(encoding="ascii") == rows


def test_known_moduli_are_compared_with_and_not_reported(double, tmp_path):
    client = double()
    (tmp_path / "m.txt").write_text("23\n29\n", encoding="ascii")
    (tmp_path / "known").write_text("# k\n1\n58\n", encoding="ascii")
    assert client.ok("submit", "batch-gcd", "@m.txt", "--against", "@known", cwd=tmp_path) == "2\tk3\t1d\n"


def test_the_exit_status_tells_of_shared_factors_if_asked(double):
    client = double()
    assert client.run("submit", "batch-gcd", 15, 21)[0] == OK
    assert client.run("submit", "batch-gcd", 15, 21, "--exit-status")[0] == FAILED
    assert client.run("submit", "batch-gcd", 15, 22, 1, "--exit-status")[:2] == (OK, "")


def test_people_see_a_table(double, tmp_path):
    client, p, q, r = double(), (1 << 521) - 1, (1 << 127) - 1, (1 << 61) - 1
    numbers_file(tmp_path / "m", [p * q, p * r, 35, 49])
    shown = client.terminal("submit", "batch-gcd", f"@{tmp_path / 'm'}")
    assert shown.splitlines() == ["4 moduli: 4 share a factor, 0 do not, 0 are equal to another one",
                                  "    LINE      WITH  GCD", "       1         2  1fff...ff (521 bits)",
                                  "       2         1  1fff...ff (521 bits)", "       3         4  0x7", "       4         3  0x7"]
    large = client.terminal("submit", "product", f"-2^{20000}")
    assert large == f"product(1 integers)={str(-2**20000)[:20]}...{str(2**20000)[-20:]} (6021 digits)\n"


# --- stored values -------------------------------------------------------------------------------

def test_values_are_put_listed_got_and_removed(double, tmp_path):
    client, data = double(), random.Random(2).randbytes(9 * MIB + 7)
    (tmp_path / "data.bin").write_bytes(data)
    name = client.ok("value", "put", tmp_path / "data.bin").strip()
    assert name == "value:" + hashlib.sha256(data).hexdigest()[:16]
    assert [len(segment) for segment in client.double.values[0].segments] == [8 * MIB, MIB + 7]
    client.ok("value", "get", name, "--output", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data
    for i in range(7):
        client.ok("value", "put", "-", "--name", f"text {i}", stdin=b"hello %d\n" % i)
    rows = json.loads(client.ok("value", "list", "--json"))
    assert [row["name"] for row in rows] == ["data.bin"] + [f"text {i}" for i in range(7)]
    assert client.ok("value", "get", rows[3]["id"]) == "hello 2\n"
    listed = client.ok("value", "list", "--limit", 2).splitlines()
    assert len(listed) == 3 and listed[2].endswith("text 6")
    assert all(len(line) <= 80 for line in client.ok("value", "list").splitlines())
    assert rows[1]["id"] in client.ok("value", "list", "--wide")
    assert client.ok("value", "rm", rows[1]["value"], rows[2]["id"], rows[1]["id"]).count("is removed") == 2
    code, _, errors = client.run("value", "rm", rows[3]["value"], "value:0000000000")
    assert code == NOT_FOUND and "value:0000000000" in errors and "nothing was removed" in errors
    assert len(client.double.values) == 6


def test_a_prefix_of_several_values_is_refused_with_their_names(double):
    client, by_prefix, n = double(), {}, 0
    while True:  # two texts whose hashes begin alike
        text = b"%d" % n
        prefix = hashlib.sha256(text).hexdigest()[:4]
        if prefix in by_prefix:
            break
        by_prefix[prefix] = text
        n += 1
    names = [client.ok("value", "put", "-", stdin=it).strip() for it in (by_prefix[prefix], text)]
    code, _, errors = client.run("value", "get", f"value:{prefix}")
    assert code == USAGE and all(name in errors for name in names) and "2 values" in errors
    assert client.ok("value", "get", names[1][:18].upper().replace("VALUE", "value")) == text.decode()


def test_a_value_that_a_job_names_is_not_removed(double):
    client = double()
    client.ok("submit", "product", 3, 4)
    code, _, errors = client.run("value", "rm", f"value:{client.double.values[0].sha256.hex()}")
    assert code == FAILED and "job 1-9 names it" in errors


# --- what is lost on the way ---------------------------------------------------------------------

@pytest.mark.parametrize("faults", [
    {"lose": lambda n: n in (3, 20)}, {"fall": lambda n: n == 12}, {"fall": lambda n: n % 40 == 14},
    {"lose": lambda n: n % 17 == 5, "fall": lambda n: n in (9, 31)}], ids=["chunks", "coordinator", "coordinators", "both"])
def test_an_upload_goes_on_behind_what_is_durable(double, tmp_path, faults):
    client, data = double(**faults), random.Random(3).randbytes(20 * MIB)
    (tmp_path / "data").write_bytes(data)
    client.ok("value", "put", tmp_path / "data")
    assert client.double.values[0].bytes() == data
    assert client.double.put_bytes < 45 * MIB  # at most a segment again for each fault


def test_a_command_that_was_interrupted_is_resumed_by_the_next(double, tmp_path):
    client, data = double(lose=lambda n: n >= 20), random.Random(4).randbytes(20 * MIB)
    (tmp_path / "data").write_bytes(data)
    upload = client.start("value", "put", tmp_path / "data")
    harness.wait_for(lambda: client.double.puts >= 20, 20)
    upload.send_signal(signal.SIGINT)
    assert upload.wait(timeout=harness.seconds(10)) == 130
    assert b"continues from there" in upload.stderr.read()
    durable = len(client.double.values[0].segments)
    client.double.lose, before = (lambda n: False), client.double.put_bytes
    client.ok("value", "put", tmp_path / "data")
    assert durable >= 1 and client.double.values[0].bytes() == data
    assert client.double.put_bytes - before <= (20 - 8 * durable) * MIB


def test_a_download_is_resumed_and_checked(double, tmp_path):
    client, data = double(), random.Random(5).randbytes(5 * MIB)
    (tmp_path / "data").write_bytes(data)
    name = client.ok("value", "put", tmp_path / "data").strip()
    part = tmp_path / f".conclave-{hashlib.sha256(data).hexdigest()}.part"
    part.write_bytes(data[:3 * MIB + 5])
    client.ok("value", "get", name, "--output", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == data and not part.exists()
    # What is not what it should be is no result, and nothing to go on from.
    part.write_bytes(b"x" + data[1:MIB])
    code, _, errors = client.run("value", "get", name, "--output", tmp_path / "other")
    assert code == FAILED and "SHA-256" in errors and not part.exists() and not (tmp_path / "other").exists()
    client.ok("value", "get", name, "--output", tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == data


def test_a_file_that_changes_while_it_is_uploaded_is_an_error(double, tmp_path):
    data = random.Random(6).randbytes(9 * MIB)
    (tmp_path / "data").write_bytes(data)

    def cut(n):
        if n == 2:
            os.truncate(tmp_path / "data", MIB)
        return False
    code, _, errors = double(lose=cut).run("value", "put", tmp_path / "data")
    assert code == FAILED and "has become shorter" in errors


def test_a_number_of_ten_million_digits_is_read(double, tmp_path):
    client, digits = double(), 10_000_000
    (tmp_path / "n").write_text("1" + "0" * (digits - 1), encoding="ascii")
    client.ok("submit", "product", f"@{tmp_path / 'n'}", 0)
    assert values_double.unpack_integers(client.double.values[0].bytes())[0].bit_length() == \
        math.floor((digits - 1) * math.log2(10)) + 1

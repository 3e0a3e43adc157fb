"""Files that the command line writes: whole or not at all, and never in the place of a device, a FIFO or a
link."""
import json
import os
import socket
import stat
import subprocess
import threading

import pytest

import harness
from harness import FAILED, OK, USAGE, seconds, wait_for

DIGITS = "2432902008176640000\n"  # 20!


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    yield from harness.healthy(tmp_path_factory.mktemp("output"), nodes=2)


@pytest.fixture
def job(cluster):
    return cluster.submit(20)["id"]


@pytest.fixture
def place(cluster, request):
    """A directory of the test's own, in that of the cluster."""
    path = cluster.dir / request.node.name.replace("/", "-")
    path.mkdir()
    return path


def device(place, name, minor):
    """A device of the kernel's memory driver, made for this test alone: 3 takes everything, 7 is full."""
    path = place / name
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        os.close(os.open(path, os.O_WRONLY))
    except OSError as error:
        pytest.skip(f"no device can be made and opened here: {error}")
    return path


def is_device(path):
    return stat.S_ISCHR(path.lstat().st_mode)


def nothing_beside(place, *expected):
    assert sorted(p.name for p in place.iterdir()) == sorted(expected)


def ways(job, path):
    """Every command that writes a file which a user names."""
    return {"result": ("job", "result", job, "--output", path),
            "wait": ("job", "wait", job, "--output", path),
            "submit": ("submit", "factorial", 20, "--output", path),
            "run": ("run", "factorial", 20, "--nodes", 2, "--output", path),
            "export": ("snapshot", "export", None, path)}


def command(cluster, job, path, way):
    words = list(ways(job, path)[way])
    if way == "export":
        words[2] = cluster.json("snapshot", "take")["snapshot_id"]
    return words


WAYS = sorted(ways(0, 0))


# --- regular files ---

def test_a_file_is_replaced_whole_and_keeps_its_permissions(cluster, job, place):
    path = place / "digits"
    cluster.ok("job", "result", job, "--output", path)
    assert path.read_text() == DIGITS
    made, umask = stat.S_IMODE(path.stat().st_mode), os.umask(0)
    os.umask(umask)
    assert made == 0o666 & ~umask
    path.write_text("longer than what comes now, and older\n" * 9)
    path.chmod(0o640)
    old = path.stat().st_ino
    cluster.ok("submit", "factorial", 20, "--output", path)
    assert path.read_text() == DIGITS and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_ino != old  # who has the old one open reads on in the old one
    nothing_beside(place, "digits")


def test_a_name_of_full_length_can_be_written(cluster, job, place):
    name = "d" * 255
    cluster.ok("job", "result", job, "--output", place / name)
    assert (place / name).read_text() == DIGITS
    nothing_beside(place, name)


def test_a_file_stays_as_it_was_when_the_job_fails(cluster, place):
    path = place / "digits"
    path.write_text("before\n")
    done = cluster.conclave("job", "result", "99-99", "--output", path)
    assert done.returncode == harness.NOT_FOUND
    assert path.read_text() == "before\n"
    nothing_beside(place, "digits")


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_written_is_refused_in_one_line(cluster, job, place, way):
    (place / "directory").mkdir()
    (place / "loop").symlink_to("loop2")
    (place / "loop2").symlink_to("loop")
    for path, says in (("directory", "Is a directory"), ("new/", "Is a directory"),
                       ("nowhere/x", "No such file"), ("loop", "Too many levels")):
        done = cluster.conclave(*command(cluster, job, f"{place}/{path}", way))
        assert done.returncode == USAGE and says in done.stderr, (path, done.stderr)
        assert done.stderr.count("\n") == 1 and done.stdout == ""
    nothing_beside(place, "directory", "loop", "loop2")


# --- a part of a result ---

LONG = 1_200_000  # decimals of pi: three pieces of 512 KiB


@pytest.fixture(scope="module")
def long_job(cluster):
    job = cluster.json("submit", "pi", LONG)["id"]
    digits = cluster.ok("job", "result", job).rstrip("\n")
    assert len(digits) == LONG + 2 and digits.startswith("3.14159")
    return job, digits


@pytest.mark.parametrize("begin, end", [("", ""), (0, 0), (0, 1), (1, 12), ("", 7), (524287, 524289), (524280, 1048580), ("1e5", "2_00_000"),
                                        (LONG - 5, ""), (LONG, LONG + 9), (LONG + 2, ""), (LONG + 1, "18446744073709551615")])
def test_a_part_of_a_result_is_what_stands_there(cluster, long_job, place, begin, end):
    job, digits = long_job
    number = {"1e5": 100000, "2_00_000": 200000}
    first, last = (int(number.get(at, at)) if at != "" else None for at in (begin, end))
    wanted = digits[first:last] + "\n"
    assert cluster.ok("job", "result", job, "--range", f"{begin}:{end}") == wanted
    assert cluster.ok("job", "result", job, f"--range={begin}:{end}", "--output", "-") == wanted
    told = cluster.json("job", "result", job, "--range", f"{begin}:{end}", "--output", place / "part")
    assert (place / "part").read_text() == wanted and told["id"] == job
    nothing_beside(place, "part")


def test_a_part_of_a_short_result_comes_with_its_row(cluster, job):
    assert cluster.ok("job", "result", job, "--range", "3:6") == DIGITS[3:6] + "\n"
    assert cluster.ok("job", "result", job, "--range", "17:99") == DIGITS[17:]
    assert cluster.ok("job", "result", job, "--range", "19:") == "\n"


class Counter:
    """A door to the broker at an address of its own, which counts the bytes that come out of it."""

    def __init__(self, port):
        self.port, self.address, self.came = port, f"tcp://127.0.2.2:{port}", 0
        self.listener = socket.create_server(("127.0.2.2", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:  # closed
                return
            broker = socket.create_connection(("127.0.0.1", self.port))
            for ends in ((client, broker), (broker, client)):
                threading.Thread(target=self._carry, args=(*ends, ends[0] is broker), daemon=True).start()

    def _carry(self, source, target, counted):
        try:
            while piece := source.recv(65536):
                self.came += len(piece) if counted else 0
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # the other end is gone
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_only_the_part_is_fetched(cluster, long_job):
    job, digits = long_job
    counter = Counter(cluster.fronts[0])

    def fetched(*words):
        counter.came = 0
        got = cluster.ok("job", "result", job, *words, broker=counter.address)
        return got.rstrip("\n"), counter.came
    try:
        whole, part = fetched(), fetched("--range", f"{LONG - 100}:{LONG}")
    finally:
        counter.close()
    assert whole[0] == digits and whole[1] > LONG
    assert part[0] == digits[LONG - 100:LONG] and part[1] < 50_000


def test_a_part_that_is_not_there_is_refused_in_one_line(cluster, long_job, place):
    jobs = [long_job[0], cluster.json("submit", "empty", 2)["id"]]
    for job, text, says in ((jobs[0], f"{LONG + 3}:", f"0 to {LONG + 2} is allowed"), (jobs[1], "0:1", "consists of tasks")):
        for more in ((), ("--output", place / "part")):
            done = cluster.conclave("job", "result", job, "--range", text, *more)
            assert (done.returncode, done.stdout) == (USAGE, "") and says in done.stderr and done.stderr.count("\n") == 1, done
    done = cluster.conclave("job", "result", jobs[0], "--range", "0:1", "--json")
    assert (done.returncode, done.stdout) == (USAGE, "") and "needs --output FILE" in done.stderr
    nothing_beside(place)


# --- stdout ---

def test_a_dash_is_stdout(cluster, job, place):
    assert cluster.ok("job", "result", job, "--output", "-") == DIGITS
    assert cluster.ok("submit", "factorial", 20, "--output", "-") == DIGITS
    done = cluster.conclave("job", "result", job, "--output", "-", "--json")
    assert done.returncode == USAGE and "--json" in done.stderr and done.stdout == ""
    assert not (cluster.dir / "-").exists()
    nothing_beside(place)


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_descriptor_is_written_where_it_stands(cluster, job, place, through_a_link):
    """As /dev/stdout is: a link to a link of /proc. No real device is named: a broken build would replace it."""
    name = "/proc/self/fd/1"
    if through_a_link:
        (place / "stdout").symlink_to(name)
        name = place / "stdout"
    assert cluster.ok("job", "result", job, "--output", name) == DIGITS  # a pipe
    path = place / "log"
    path.write_text("first\n")
    with open(path, "a", encoding="ascii") as log:
        subprocess.run([str(harness.BIN / "conclave"), "job", "result", job, "--output", str(name)],
                       stdout=log, env=cluster.environment(), timeout=seconds(20), check=True)
    assert path.read_text() == "first\n" + DIGITS
    nothing_beside(place, "log", *["stdout"] * through_a_link)
    assert not through_a_link or name.is_symlink()


# --- devices ---

@pytest.mark.parametrize("way", WAYS)
def test_a_device_stays_a_device(cluster, job, place, way):
    sink = device(place, "sink", 3)
    (place / "link").symlink_to("sink")
    for path in (sink, place / "link"):
        done = cluster.conclave(*command(cluster, job, path, way), timeout=60)
        assert done.returncode == OK, done.stderr
        assert is_device(sink) and (place / "link").is_symlink()
    nothing_beside(place, "sink", "link")


@pytest.mark.parametrize("way", WAYS)
def test_a_full_device_is_one_line_and_exit_1(cluster, job, place, way):
    full = device(place, "full", 7)
    done = cluster.conclave(*command(cluster, job, full, way), timeout=60)
    assert done.returncode == FAILED and "No space left" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert is_device(full)
    nothing_beside(place, "full")


def test_a_long_result_meets_a_full_device_in_one_line(cluster, place):
    full = device(place, "full", 7)
    done = cluster.conclave("submit", "factorial", 20000, "--output", full, timeout=60)
    assert done.returncode == FAILED and done.stderr.count("No space left") == 1, done.stderr
    assert is_device(full)


# --- FIFOs ---

@pytest.mark.parametrize("way", WAYS)
def test_a_fifo_is_written_to_its_reader(cluster, job, place, way):
    fifo = place / "fifo"
    os.mkfifo(fifo)
    client = cluster.start_conclave(*map(str, command(cluster, job, fifo, way)))
    with open(fifo, encoding="ascii") as reader:
        text = reader.read()
    client.communicate(timeout=seconds(30))
    assert client.returncode == OK
    if way == "export":
        assert json.loads(text)["is_complete"]
    else:
        assert text == DIGITS
    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    nothing_beside(place, "fifo")


def test_a_reader_that_goes_is_one_line_and_exit_1(cluster, place):
    fifo = place / "fifo"
    os.mkfifo(fifo)
    job = cluster.submit(30000)["id"]
    client = cluster.start_conclave("job", "result", job, "--output", str(fifo))
    reader = os.open(fifo, os.O_RDONLY)
    assert os.read(reader, 10)
    os.close(reader)
    _, err = client.communicate(timeout=seconds(30))
    assert client.returncode == FAILED and "Broken pipe" in err and err.count("\n") == 1
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


def test_a_fifo_that_nobody_reads_is_left_by_a_signal(cluster, job, place):
    fifo = place / "fifo"
    os.mkfifo(fifo)
    client = cluster.start_conclave("job", "result", job, "--output", str(fifo))

    def waits():
        with open(f"/proc/{client.pid}/wchan", encoding="ascii") as where:
            if "fifo" in where.read():
                return True
        with open(f"/proc/{client.pid}/syscall", encoding="ascii") as call:
            return call.read().split()[0] in ("2", "257")  # open, openat
    wait_for(waits, 10, "it waits for a reader")
    client.terminate()
    _, err = client.communicate(timeout=seconds(10))
    assert client.returncode == 143, err
    assert stat.S_ISFIFO(fifo.lstat().st_mode)


# --- symbolic links ---

@pytest.mark.parametrize("way", WAYS)
def test_a_link_stays_and_what_it_points_to_is_replaced(cluster, job, place, way):
    (place / "far").mkdir()
    target, link, chain = place / "far" / "digits", place / "link", place / "chain"
    target.write_text("before\n")
    target.chmod(0o600)
    link.symlink_to("far/digits")
    chain.symlink_to(link)
    cluster.ok(*command(cluster, job, chain, way), timeout=60)
    assert chain.is_symlink() and link.is_symlink() and os.readlink(link) == "far/digits"
    assert not target.is_symlink() and "before" not in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    nothing_beside(place, "far", "link", "chain")
    nothing_beside(place / "far", "digits")


def test_a_dangling_link_gets_its_target(cluster, job, place):
    (place / "far").mkdir()
    link = place / "link"
    link.symlink_to("far/new")
    cluster.ok("job", "result", job, "--output", link)
    assert os.readlink(link) == "far/new" and (place / "far" / "new").read_text() == DIGITS
    nowhere = place / "nowhere"
    nowhere.symlink_to("absent/new")
    done = cluster.conclave("job", "result", job, "--output", nowhere)
    assert done.returncode == USAGE and "No such file" in done.stderr
    assert nowhere.is_symlink()


# --- the files of `up` ---

def test_the_description_of_a_cluster_follows_its_link(make_cluster):
    cluster = make_cluster(nodes=2)
    up, far = cluster.dir / "up", cluster.dir / "far"
    up.mkdir(exist_ok=True)
    far.mkdir()
    (up / "cluster.json").symlink_to("../far/description")
    cluster.json("up", "--detach", "--dir", up, "--port", cluster.port, "--nodes", 2, timeout=60)
    assert json.loads((far / "description").read_text())["nodes"] == 2
    assert (up / "cluster.json").is_symlink()
    cluster.ok("down", "--dir", up)

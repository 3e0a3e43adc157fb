"""Real clusters for tests: processes, ports, the feed, and waiting for conditions.

Nothing here sleeps to synchronise: everything waits for a condition with a deadline. Processes are
known by an environment variable that they inherit, and ended by their ids, however a test ends.
"""
import contextlib
import decimal
import fcntl
import json
import math
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import msgpack
import zmq

import locks

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CONCLAVE_BIN") or ROOT / "build/release/bin")
LIB = BIN.parent / "lib"
SANITIZED = bool(os.environ.get("CONCLAVE_SANITIZE"))
# Sanitizers make the programs several times slower; a deadline of a test is this much longer then.
SLOWNESS = 5 if SANITIZED else 1
MARK = "TEST_OF_CONCLAVE"

OK, FAILED, USAGE, UNREACHABLE, TIMEOUT, CANCELLED, NOT_FOUND, INJECTED, ENVIRONMENT = range(9)


def seconds(wanted):
    """A time that a statement promises, for programs as they were built."""
    return wanted * SLOWNESS


def wait_for(condition, deadline=10, what=None, pause=0.02):
    """Returns the first true value of condition(); fails after `deadline` seconds."""
    end = time.monotonic() + seconds(deadline)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds(deadline)} s: {what or condition}")
        time.sleep(pause)


def command_lines():
    """The words of every process of this machine."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode(errors="replace").split("\0")[:-1])
    return found


def has_ipv6():
    """Whether the loopback has an address of IPv6: a container need not."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def cpu_seconds(pid):
    """Processor time of a process so far; exact, where /proc/PID/stat counts in hundredths of a second."""
    return sum(int(task.read_text().split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def job_number(job):
    """A job's id ("TERM-INDEX") as messages have it."""
    term, index = job.split("-")
    return int(term) << 40 | int(index)


def end_by_exit():
    """SIGTERM ends this process as an exception does: what was started ends in any case."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def memory(process, what="VmRSS"):
    """Bytes of a process that are in memory; "VmHWM": at most, since forget_peak()."""
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"no {what}")


def forget_peak(process):
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")


def factorial_digits(n):
    """n! as decimal text, in decimal throughout: Python's own conversion of a long integer takes minutes."""
    def product(first, end):
        if end - first < 64:
            return decimal.Decimal(math.prod(range(first, end)))
        middle = (first + end) // 2
        return product(first, middle) * product(middle, end)
    with decimal.localcontext() as context:
        context.prec, context.Emax = 10 * n + 10, decimal.MAX_EMAX
        context.traps[decimal.Inexact] = True
        return format(product(1, n + 1), "f")


# --- ports ---------------------------------------------------------------------------------------

SLOT_PORTS, SLOT_FIRST, SLOT_COUNT = 400, 9000, 58  # 58 slots of 400 ports, below 32768


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Ports:
    """A range of ports that no other test, of this run or another one, uses at the same time."""

    def __init__(self, nodes, brokers):
        locks = pathlib.Path(tempfile.gettempdir()) / f"conclave-test-ports.{os.getuid()}"
        locks.mkdir(exist_ok=True)
        for slot in random.sample(range(SLOT_COUNT), SLOT_COUNT):
            self.lock = open(locks / str(slot), "w", encoding="ascii")
            self.base = SLOT_FIRST + slot * SLOT_PORTS
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.lock.close()
                continue
            wanted = [*range(self.base, self.base + 2 * brokers),
                      *range(self.base + 110, self.base + 105 + 10 * nodes)]
            if all(map(is_free, wanted)):
                return
            self.lock.close()
        raise AssertionError("no free ports")

    def release(self):
        self.lock.close()


# --- processes -----------------------------------------------------------------------------------

def clean_environment(mark=None, **more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CONCLAVE_")}
    if mark:
        env[MARK] = mark
    return env | more


def marked_pids(mark):
    """The processes that inherited the mark, this one excepted: their ids, with the command of each."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0") and \
                    (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass
    return found


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def lives(pid):
    """Whether a process is there, with its descriptors: one that ends loses its environment before its ports."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_marked(mark):
    pids = list(marked_pids(mark))
    for pid in pids:
        send_signal(pid, signal.SIGKILL)
    wait_for(lambda: not any(map(lives, pids)) and not marked_pids(mark), 5, "every process of the test is gone")


def sanitizer_reports(directory):
    """What sanitizers wrote to logs: reports of faults, one string each."""
    return [f"{log}: {line.strip()}" for log in pathlib.Path(directory).rglob("*.log")
            for line in log.read_text(errors="replace").splitlines()
            if "ERROR: AddressSanitizer" in line or "ERROR: LeakSanitizer" in line
            or "runtime error:" in line or line.startswith("panic:") or "Assertion" in line]


# --- the feed ------------------------------------------------------------------------------------

class Feed:
    """Everything that the nodes, or brokers, publish, from now on; read in a thread of its own."""

    ASK_MS = 500  # it asks each connection so often whether it lives; 0: never, where what that costs the nodes is in the way

    def __init__(self, addresses):
        self.messages, self.rejected = [], 0
        self.changed = threading.Condition()
        self.addresses, self.running = addresses, True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        context = zmq.Context()
        sub = context.socket(zmq.SUB)
        sub.setsockopt(zmq.RECONNECT_IVL, 20)
        # A subscriber sends nothing: after a cut link it would listen for ever to a connection that the node has given up.
        sub.setsockopt(zmq.HEARTBEAT_IVL, self.ASK_MS)
        sub.setsockopt(zmq.HEARTBEAT_TIMEOUT, 1500)
        sub.setsockopt(zmq.CONNECT_TIMEOUT, 1000)
        sub.setsockopt(zmq.RCVHWM, 100000)
        sub.setsockopt(zmq.SUBSCRIBE, b"")
        for address in self.addresses:
            locks.connect(sub, address)
        while self.running:
            if not sub.poll(50):
                continue
            message = msgpack.unpackb(sub.recv_multipart()[0])
            message["heard"] = time.monotonic()
            with self.changed:
                self.messages.append(message)
                self.changed.notify_all()
        sub.close(0)
        context.term()

    def close(self):
        self.running = False
        self.thread.join()

    def wait(self, condition, deadline=10, what=None, since=0):
        """Returns the first message, from index `since` on, for which the condition holds."""
        end = time.monotonic() + seconds(deadline)
        with self.changed:
            while True:
                while since < len(self.messages):
                    if condition(self.messages[since]):
                        return self.messages[since]
                    since += 1
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the feed did not tell in time: {what or condition}")
                self.changed.wait(left)

    def trouble(self, since):
        """What was said from index `since` on that a healthy cluster has no reason to say."""
        with self.changed:
            return [m["text"] for m in self.messages[since:]
                    if m.get("event") in ("node_suspected", "stepped_down", "elected")]

    def holds_most(self, since, but, least=1 << 20):
        """(node, bytes): who, but for one node, holds the most bytes of values by the last heartbeats from index `since` on;
        None while that is less than `least`."""
        with self.changed:
            held = {m["node"]: m.get("held_bytes", 0) for m in self.messages[since:] if m.get("type") == "heartbeat"}
        held.pop(but, None)
        node = max(held, key=held.get, default=None)
        return (node, held[node]) if node and held[node] > least else None

    def executed(self):
        """Operations that the nodes said they executed, in all their lives."""
        with self.changed:
            lives = {}
            for message in self.messages:
                life = message["node"], message["incarnation"]
                lives[life] = max(lives.get(life, 0), message.get("operations", 0))
            return sum(lives.values())

    def mark(self):
        """An index for wait(since=...)."""
        with self.changed:
            return len(self.messages)

    def coordinators(self):
        """By term: the nodes that said they coordinate in it."""
        with self.changed:
            by_term = {}
            for message in self.messages:
                if message.get("role") == "coordinator" or message.get("event") == "elected":
                    by_term.setdefault(message["term"], set()).add(message["node"])
            return by_term


# --- clusters ------------------------------------------------------------------------------------

class Cluster:
    """Nodes and brokers on this machine, in a directory of their own."""

    def __init__(self, directory, nodes=6, brokers=1, insecure=False, **options):
        self.dir, self.n_nodes, self.n_brokers = pathlib.Path(directory), nodes, brokers
        self.dir.mkdir(parents=True, exist_ok=True)
        self.options = options  # of every node: delay="200ms", log_level="debug"
        self.mark = str(uuid.uuid4())
        self.ports = Ports(nodes, brokers)
        self.port = self.ports.base
        self.fronts = [self.port + 2 * i for i in range(brokers)]
        self.nodes, self.brokers, self.clients = {}, {}, []
        self.locks = None if insecure else locks.Locks(BIN / "conclave", self.dir / "up", self.port, nodes, self.fronts,
                                                       clean_environment())
        self.feed = Feed([f"tcp://{self.host(i)}:{self.node_port(i, 3)}" for i in range(1, nodes + 1)])

    def host(self, _node):
        """Where a node listens."""
        return "127.0.0.1"

    def node_port(self, node, plane=0):
        return self.port + 100 + 10 * node + plane

    @property
    def broker(self):
        return ",".join(f"tcp://127.0.0.1:{front}" for front in self.fronts)

    def environment(self, **more):
        access = {"CONCLAVE_ACCESS": str(self.locks.admin)} if self.locks else {"CONCLAVE_INSECURE": "1"}
        return clean_environment(self.mark, **{"CONCLAVE_BROKER": self.broker} | access | more)

    # starting and ending

    def spawn(self, name, *arguments, **variables):
        with open(self.dir / f"{name}.log", "ab") as log:
            return subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log, env=self.environment(**variables))

    def access(self, role, number):
        """The option with the key of a process."""
        return {"access": getattr(self.locks, role)(number)} if self.locks else {}

    def node_command(self, node, **options):
        options = {"id": node, "dir": self.dir / f"node{node}", "nodes": self.n_nodes,
                   "port": self.port} | self.access("node", node) | self.options | options
        command = [BIN / "conclave-node"]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        return command

    def broker_command(self, broker, **options):
        options = {"port": self.port, "front": self.fronts[broker],
                   "nodes": self.n_nodes} | self.access("broker", broker) | options
        command = [BIN / "conclave-broker"]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return command

    def start_node(self, node, **options):
        self.nodes[node] = self.spawn(f"node{node}", *self.node_command(node, **options))
        return self.nodes[node]

    def start_preloaded(self, node, shim, **variables):
        """A node with a library of tests/shim, which is told by environment variables what to do."""
        self.nodes[node] = self.spawn(f"node{node}", *self.node_command(node),
                                      LD_PRELOAD=str(LIB / f"{shim}.so"),
                                      **{name: str(value) for name, value in variables.items()})
        return self.nodes[node]

    def start_broker(self, broker=0):
        self.brokers[broker] = self.spawn(f"broker{broker}", *self.broker_command(broker))
        return self.brokers[broker]

    def start(self, order=None):
        for broker in range(self.n_brokers):
            self.start_broker(broker)
        for node in order or range(1, self.n_nodes + 1):
            self.start_node(node)
        return self

    def wait_healthy(self, deadline=10):
        """Until a coordinator serves and every node is alive; returns the status."""
        def healthy():
            status = self.status()
            return status if status and status["healthy"] else None
        return wait_for(healthy, deadline, "the cluster is healthy")

    def wait_met(self, nodes=None, deadline=10):
        """Until each of these nodes (all) has met all others: that the coordinator has does not say so. Takes snapshots."""
        for node in nodes or range(1, self.n_nodes + 1):
            wait_for(lambda n=node: self.conclave("snapshot", "take", "--node", n).returncode == OK, deadline,
                     f"node {node} knows all")

    def wait_served(self, deadline=10):
        """Until a coordinator serves; returns the status."""
        def served():
            status = self.status()
            return status if status and status["coordinator"] else None
        return wait_for(served, deadline, "a coordinator serves")

    def wait_next(self, old, since, deadline=10):
        """Until the feed tells of another coordinator that serves in a later term than that of `old`, a
        status; returns its heartbeat."""
        return self.feed.wait(lambda m: m.get("serving") and m["term"] > old["term"], deadline,
                              f"a coordinator after node {old['coordinator']}", since)

    def kill_coordinator(self, status=None):
        """kill -9 of the node that coordinates; returns the status from before."""
        status = status or self.wait_served()
        self.kill(self.nodes[status["coordinator"]])
        return status

    @staticmethod
    def kill(process, number=signal.SIGKILL, deadline=5):
        process.send_signal(number)
        process.wait(seconds(deadline))

    def close(self):
        self.feed.close()
        for process in [*self.clients, *self.brokers.values(), *self.nodes.values()]:
            if process.poll() is None:
                process.kill()
                process.wait()
        end_marked(self.mark)
        if self.locks:
            self.locks.forget()
        self.ports.release()

    # asking

    def conclave(self, *arguments, timeout=30, input=None, broker=None, env=None, cwd=None):
        """Runs the command line to its end; stdout and stderr are text."""
        environment = self.environment(**(env or {}))
        if broker:
            environment["CONCLAVE_BROKER"] = broker
        return subprocess.run([str(BIN / "conclave"), *map(str, arguments)], input=input,
                              stdin=None if input is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=seconds(timeout),
                              env=environment, cwd=cwd or self.dir, check=False)

    def start_conclave(self, *arguments, **more):
        """Starts the command line; its end is the caller's, or that of the test. `env` is added."""
        env = {**self.environment(), **more.pop("env", {})}
        client = subprocess.Popen([str(BIN / "conclave"), *map(str, arguments)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env=env,
                                  cwd=self.dir, **more)
        self.clients.append(client)
        return client

    def ok(self, *arguments, **more):
        """Runs a command that must succeed; returns its stdout."""
        done = self.conclave(*arguments, **more)
        assert done.returncode == OK, f"{arguments}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments, **more):
        return json.loads(self.ok(*arguments, "--json", **more))

    def status(self):
        """The cluster's status, or None when nobody tells."""
        done = self.conclave("status", "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return None

    def store(self, node):
        """What a node's disk holds, by `conclave-node inspect`; the node must have ended."""
        done = subprocess.run([BIN / "conclave-node", "inspect", self.dir / f"node{node}"], env=self.environment(),
                              capture_output=True, text=True, timeout=seconds(30), check=True)
        return json.loads(done.stdout)

    def submit(self, n, *more, timeout=60):
        """Computes n! and returns the finished job's object."""
        return self.json("submit", "factorial", n, *more, timeout=timeout)

    def rejected(self, node=None, broker=None):
        """The count of rejected messages of a node or of a broker."""
        status = self.wait_served()
        if node:
            return next(row["rejected"] for row in status["nodes"] if row["id"] == node)
        return status["brokers"][broker]["rejected"]

    # what must always hold

    def check(self):
        """No sanitizer complained, nobody panicked, no term had two coordinators."""
        faults = sanitizer_reports(self.dir)
        assert not faults, faults
        doubled = {t: n for t, n in self.feed.coordinators().items() if len(n) > 1}
        assert not doubled, f"terms with more than one coordinator: {doubled}"

    def logs(self, lines=15):
        """The ends of all logs, for whoever looks at a failed test."""
        text = []
        for log in sorted(self.dir.rglob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            text += [f"--- {log}", *tail]
        return "\n".join(text)


# --- requests by hand ----------------------------------------------------------------------------

def healthy(directory, **options):
    """For fixtures: yields a cluster once it is healthy, checks it at the end, and ends it in any case."""
    cluster = Cluster(directory, **options)
    try:
        cluster.start()
        cluster.wait_healthy()
        yield cluster
        cluster.check()
    finally:
        cluster.close()


def dealer_to(address):
    """A socket for requests to a broker. The caller closes it."""
    dealer = zmq.Context.instance().socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    return locks.connect(dealer, address)


def request(address, body, *frames, timeout=5):
    """Sends one request to a broker and returns the answer's map and its further frames."""
    dealer = dealer_to(address)
    try:
        dealer.send_multipart([msgpack.packb(body), *frames])
        assert dealer.poll(seconds(timeout) * 1000), f"no answer to {body}"
        answer = dealer.recv_multipart()
        return msgpack.unpackb(answer[0]), answer[1:]
    finally:
        dealer.close()


def signed_request(address, body, timeout=5):
    """The same for what needs a signature: first it is asked what is to be signed."""
    signer = locks.signer(address)
    answer, frames = request(address, body, b"", timeout=timeout)
    if not signer.take(answer):
        return answer, frames
    return request(address, body, signer.frame(msgpack.packb(body)), timeout=timeout)

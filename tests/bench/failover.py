"""make failover: how long nobody answers after the leader was killed, stopped or cut off; of this build and of etcd.

Three members each, every one on a host of its own (tests/chaos/net.py), on the same disk, in turn, a few faults each time. All the
time a client asks for a new write every 10 ms, whether the others were answered or not. What is measured is the time from the fault
to the answer to a write that was asked for after it: what a client waits for, and not what a log says. etcd once with its own
timeouts, once with those of Conclave. Needs root, for namespaces, and etcd, of Debian's package etcd-server. Nothing here
fails because something is slow.
"""
import argparse
import asyncio
import base64
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "chaos"), str(HERE.parent / "cluster")]

import msgpack                            # noqa: E402
import zmq                                # noqa: E402

import figures                            # noqa: E402
import harness                            # noqa: E402
import locks                              # noqa: E402
import net                                # noqa: E402
from harness import wait_for              # noqa: E402
from rig import CLIENTS, SWITCH, Rig      # noqa: E402
from verdict import spread                # noqa: E402

MEMBERS = 3
PACE = 0.01               # seconds between two writes
GIVE_UP = 2.0             # a write without an answer for this long is forgotten; others were asked for meanwhile
SERVED_SECONDS = 30       # after a fault, at most
CALM_SECONDS = 0.5        # of answers before the next fault, so that its moment is not that of a timer
PER_TURN = 10             # faults before it is the turn of the next system
SYSTEMS = {"conclave": {}, "etcd": {}, "etcd, 50 ms and 500 ms": {"heartbeat": 50, "election": 500}}
KINDS = ("kill", "stop", "cut")
CLIENT_PORT, PEER_PORT = 9379, 9380  # of etcd's members, each on its own host


class Writer(threading.Thread):
    """Asks for a new write again and again; `first_after` is what it is for."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over, self.answered = threading.Event(), threading.Condition()
        self.answers = []         # (when it was answered, when it was asked for)

    def note(self, asked):
        with self.answered:
            self.answers.append((time.monotonic(), asked))
            self.answered.notify_all()

    def first_after(self, moment):
        """Seconds from the moment to the answer to a write that was asked for after it."""
        def later():
            return next((at for at, asked in reversed(self.answers) if asked >= moment), None)
        with self.answered:
            if not self.answered.wait_for(later, SERVED_SECONDS):
                raise AssertionError(f"no write was answered in {SERVED_SECONDS} s")
            return min(at for at, asked in self.answers if asked >= moment) - moment

    def end(self):
        self.over.set()
        self.join()


class BrokerWriter(Writer):
    """Writes through the broker, as every client of Conclave does."""

    def __init__(self, cluster):
        super().__init__()
        self.fronts = cluster.fronts

    def run(self):
        dealer = zmq.Context.instance().socket(zmq.DEALER)
        dealer.linger = 0
        for front in self.fronts:
            locks.connect(dealer, f"tcp://127.0.0.1:{front}")
        number, asked = 0, {}
        while not self.over.is_set():
            number += 1
            asked[number] = time.monotonic()
            asked.pop(number - int(GIVE_UP / PACE), None)
            dealer.send(msgpack.packb({"request": number, "type": "progress_set", "index": 1, "state": number}))
            until = asked[number] + PACE
            while (left := until - time.monotonic()) > 0:
                if not dealer.poll(1000 * left):
                    continue
                answer = msgpack.unpackb(dealer.recv_multipart()[0])
                if answer["type"] != "error" and answer["request"] in asked:
                    self.note(asked.pop(answer["request"]))
        dealer.close()


class HttpWriter(Writer):
    """Writes to the members of etcd in turn, by its gateway for JSON, each time on a new connection."""

    def __init__(self, addresses):
        super().__init__()
        self.addresses = addresses

    def run(self):
        asyncio.run(self.ask_all())

    async def ask_all(self):
        number, open_tasks = 0, set()
        while not self.over.is_set():
            task = asyncio.create_task(self.ask(self.addresses[number % len(self.addresses)], number))
            open_tasks.add(task)
            task.add_done_callback(open_tasks.discard)
            number += 1
            await asyncio.sleep(PACE)
        for task in list(open_tasks):
            task.cancel()

    async def ask(self, address, number):
        asked = time.monotonic()
        try:
            status = await asyncio.wait_for(put(address, number), GIVE_UP)
        except (OSError, asyncio.TimeoutError, ValueError, asyncio.IncompleteReadError):
            return
        if status == 200:
            self.note(asked)


async def put(address, number):
    """Returns the status of the answer."""
    body = json.dumps({"key": base64.b64encode(b"progress").decode(),
                       "value": base64.b64encode(str(number).encode()).decode()})
    reader, writer = await asyncio.open_connection(address, CLIENT_PORT)
    try:
        writer.write(f"POST /v3/kv/put HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        return int((await reader.readuntil(b"\r\n")).split()[1])
    finally:
        writer.close()


# --- the two systems: members by number, a leader, a network ---

class Conclave:
    def __init__(self, directory, seed, **_):
        self.cluster = Rig(directory, nodes=MEMBERS, brokers=1, seed=seed, log_level="warn")
        self.net = self.cluster.net
        self.cluster.start().wait_healthy(20)

    def writer(self):
        return BrokerWriter(self.cluster)

    def process(self, member):
        return self.cluster.nodes[member]

    def start(self, member):
        self.cluster.start_node(member)

    def leader(self):
        """The leader of a cluster that is whole, or None."""
        status = self.cluster.status()
        whole = status and status["healthy"] and not any(row.get("behind") for row in status["nodes"])
        return status["coordinator"] if whole else None

    def close(self):
        self.cluster.close()


class Etcd:
    def __init__(self, directory, seed, heartbeat=None, election=None):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        self.timeouts = ([f"--heartbeat-interval={heartbeat}", f"--election-timeout={election}"] if heartbeat else [])
        self.net = net.Net(SWITCH, self.dir, [*(f"node{i}" for i in range(1, MEMBERS + 1)), CLIENTS], seed)
        self.net.enter(CLIENTS)
        self.processes = {}
        try:
            for member in range(1, MEMBERS + 1):
                self.start(member)
            wait_for(self.leader, SERVED_SECONDS, "etcd has a leader")
        except BaseException:
            self.close()
            raise

    def address(self, member):
        return self.net.addresses[f"node{member}"]

    def start(self, member):
        peers = ",".join(f"node{i}=http://{self.address(i)}:{PEER_PORT}" for i in range(1, MEMBERS + 1))
        here = self.address(member)
        with open(self.dir / f"node{member}.log", "ab") as log, self.net.inside(f"node{member}"):
            self.processes[member] = subprocess.Popen(
                ["etcd", f"--name=node{member}", f"--data-dir={self.dir}/node{member}", f"--initial-cluster={peers}",
                 f"--listen-peer-urls=http://{here}:{PEER_PORT}", f"--initial-advertise-peer-urls=http://{here}:{PEER_PORT}",
                 f"--listen-client-urls=http://{here}:{CLIENT_PORT}", f"--advertise-client-urls=http://{here}:{CLIENT_PORT}",
                 "--log-level=error", *self.timeouts], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def writer(self):
        return HttpWriter([self.address(member) for member in range(1, MEMBERS + 1)])

    def process(self, member):
        return self.processes[member]

    def leader(self):
        found = {}
        for member in range(1, MEMBERS + 1):
            asked = urllib.request.Request(f"http://{self.address(member)}:{CLIENT_PORT}/v3/maintenance/status", b"{}",
                                           {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(asked, timeout=1) as answer:
                    found[member] = json.load(answer)
            except OSError:
                return None
        leaders = {row.get("leader") for row in found.values()}
        applied = {row.get("raftAppliedIndex") for row in found.values()}
        if len(leaders) != 1 or max(map(int, applied)) - min(map(int, applied)) > 100:
            return None
        return next((member for member, row in found.items() if row["header"]["member_id"] in leaders), None)

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.net.close()


# --- faults ---

def kill(system, leader):
    system.process(leader).kill()
    moment = time.monotonic()

    def undo():
        system.process(leader).wait()
        system.start(leader)
    return moment, undo


def stop(system, leader):
    system.process(leader).send_signal(signal.SIGSTOP)
    return time.monotonic(), lambda: system.process(leader).send_signal(signal.SIGCONT)


def cut(system, leader):
    fault = system.net.isolate([f"node{leader}"])
    return time.monotonic(), fault.end


def faults_of(system, kind, number, generator):
    """The seconds of so many faults."""
    writer, seconds = system.writer(), []
    writer.start()
    try:
        for _ in range(number):
            leader = wait_for(system.leader, SERVED_SECONDS, "a leader, and all members")
            time.sleep(CALM_SECONDS * (1 + generator.random()))  # a moment by chance is what it is for
            writer.first_after(time.monotonic())
            moment, undo = {"kill": kill, "stop": stop, "cut": cut}[kind](system, leader)
            try:
                seconds.append(writer.first_after(moment))
            finally:
                undo()
    finally:
        writer.end()
    return seconds


def one(options):
    """In a process of its own: a thread is in one network at a time."""
    directory, generator = pathlib.Path(options.dir), random.Random(options.seed)
    made = Conclave if options.one == "conclave" else Etcd
    system = made(directory, options.seed, **SYSTEMS[options.one])
    try:
        print(json.dumps(faults_of(system, options.kind, options.number, generator)))
    finally:
        system.close()


def turn(name, kind, number, seed, top):
    directory = top / f"{seed}"
    done = subprocess.run([sys.executable, "-B", __file__, "--one", name, "--kind", kind, "--number", str(number),
                           "--seed", str(seed), "--dir", str(directory)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failover: {name}, {kind}:\n{done.stdout}{done.stderr}")
    shutil.rmtree(directory, ignore_errors=True)
    return json.loads(done.stdout.splitlines()[-1])


def lacking():
    why = net.why_not(SWITCH)
    return why or (None if shutil.which("etcd") else "etcd is missing: Debian's package etcd-server has it")


def show(measured):
    print(f"\n{'seconds until a write is answered':<42}{'n':>6}{'p50':>8}{'p99':>8}{'max':>8}")
    for (kind, name), seconds in measured.items():
        row = spread(seconds)
        print(f"{kind + ', ' + name:<42}{row['n']:>6}{row['p50']:>8.3f}{row['p99']:>8.3f}{row['max']:>8.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="of each kind, for each system")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--dir", default=".", help="a directory on the disk that is used")
    figures.add_option(parser)
    parser.add_argument("--seed", type=int, default=1)
    for name in ("--one", "--kind"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options)
        return
    if why := lacking():
        raise SystemExit(f"failover: {why}")
    kinds = options.kinds.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"--kinds: {', '.join(sorted(unknown))}: allowed are {', '.join(KINDS)}")
    measured = {(kind, name): [] for kind in kinds for name in SYSTEMS}
    top = pathlib.Path(tempfile.mkdtemp(prefix="failover.", dir=options.dir)).resolve()
    seed = options.seed
    try:
        for kind in kinds:
            for done in range(0, options.faults, PER_TURN):
                for name in SYSTEMS:
                    seed += 1
                    measured[kind, name] += turn(name, kind, min(PER_TURN, options.faults - done), seed, top)
            show({key: seconds for key, seconds in measured.items() if key[0] == kind})
    finally:
        shutil.rmtree(top, ignore_errors=True)
        figures.put(options.json, "failover", {"options": figures.options_of(options), "rounds": [
            {"kind": kind, "system": name, "seconds": seconds} for (kind, name), seconds in measured.items()]})


if __name__ == "__main__":
    main()

"""Clients that go on through every trouble: each asks with a key until it has an answer, and remembers what was acknowledged."""
import hashlib
import random
import threading
import time
import uuid

import msgpack
import zmq

import locks
from harness import factorial_digits

RETRY_MS = 700        # no answer for this long: the same request again
PAUSE = 0.05          # after a refusal that passes
ACCOUNTS = ("a", "b", "c")
PASSING = {"unavailable", "not_coordinator", "busy", "disk_full"}


class Ended(Exception):
    """The trouble is over: the question is given up, its outcome is unknown."""


class Conversation:
    """One client's socket to the brokers; asks until there is an answer that settles the question."""

    def __init__(self, cluster, over=None):
        """`over`: an event; once it is set, nothing more is asked."""
        self.over, self.number = over or threading.Event(), 0
        self.dealer = zmq.Context.instance().socket(zmq.DEALER)
        self.dealer.setsockopt(zmq.LINGER, 0)
        self.dealer.setsockopt(zmq.RECONNECT_IVL, 50)
        for front in cluster.fronts:
            locks.connect(self.dealer, f"tcp://127.0.0.1:{front}")
        self.signer = locks.signer(f"tcp://127.0.0.1:{cluster.fronts[0]}")

    def close(self):
        self.dealer.close()

    def ask_once(self, body, timeout_ms=RETRY_MS):
        """The answer, or None when none came in time."""
        frames = self.ask_frames(body, timeout_ms)
        return frames and frames[0]

    def ask_frames(self, body, timeout_ms=RETRY_MS):
        """The answer and its further frames as a list, or None when none came in time."""
        self.number += 1
        self.send(body)
        end = time.monotonic() + timeout_ms / 1000
        while (left := end - time.monotonic()) > 0:
            if not self.dealer.poll(1000 * left):
                return None
            first, *others = self.dealer.recv_multipart()
            answer = msgpack.unpackb(first)
            if answer.get("request") == self.number and self.signer.take(answer):
                self.send(body)
            elif answer.get("request") == self.number:
                return [answer, *others]
        return None

    def send(self, body):
        packed = msgpack.packb({"request": self.number} | body)
        self.dealer.send_multipart(self.signer.frames(body["type"], packed, body.get("node")))

    def ask(self, **body):
        """The answer that settles it: a result, or a refusal that does not pass."""
        while not self.over.is_set():
            answer = self.ask_once(body)
            if answer and answer.get("code") not in PASSING:
                return answer
            if answer:
                self.over.wait(PAUSE)
        raise Ended


class Client(threading.Thread):
    """Runs work() again and again while the trouble lasts. What goes wrong is kept in `errors`."""
    pace = 0.001          # seconds between two pieces of work: whoever needs the gate has its turn

    def __init__(self, cluster, seed):
        super().__init__(daemon=True)
        self.cluster, self.random = cluster, random.Random(seed)
        self.over, self.errors, self.settled = threading.Event(), [], 0
        self.gate = threading.Lock()  # held by whoever needs this client to stand still

    def run(self):
        self.talk = Conversation(self.cluster, self.over)
        try:
            while not self.over.wait(self.pace):
                with self.gate:
                    self.work()
        except Ended:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(f"{type(self).__name__}: {error!r}")
        self.talk.close()

    def end(self):
        self.over.set()
        self.join(10)


class Submitter(Client):
    """Submits factorials, small ones and some whose text travels by reference, and knows what was accepted."""

    def __init__(self, cluster, seed, numbers):
        super().__init__(cluster, seed)
        self.numbers, self.accepted, self.open = numbers, [], []

    def work(self):
        n, key = self.random.choice(self.numbers), str(uuid.UUID(int=self.random.getrandbits(128)))
        answer = self.talk.ask(type="submit", key=key, kind="factorial", spec=str(n))
        if answer["type"] != "job":
            raise AssertionError(f"submit was answered by {answer}")
        self.accepted.append((answer["jobs"][0]["job"], key, n))
        self.open.append(answer["jobs"][0]["job"])
        while len(self.open) >= 8:  # one waits for some of its jobs, as people do
            answer = self.talk.ask(type="job_get", job=self.open[0], wait_ms=500)
            if answer["type"] != "job":
                raise AssertionError(f"job {self.open[0]:x} was accepted, and now: {answer}")
            if answer["jobs"][0]["state"] in ("done", "failed", "cancelled"):
                self.open.pop(0)
                self.settled += 1


class Snapper(Client):
    """Takes snaps of the progress and asks for each of them twice."""
    pace = 0.1

    def __init__(self, cluster, seed):
        super().__init__(cluster, seed)
        self.taken = {}

    def work(self):
        key = str(uuid.UUID(int=self.random.getrandbits(128)))
        for _ in range(2):
            answer = self.talk.ask(type="progress_snap", key=key)
            if answer["type"] != "progress" or answer["snapshot"] != self.taken.setdefault(key, answer["snapshot"]):
                raise AssertionError(f"snap {self.taken.get(key)} with the same key: {answer}")
        self.settled += 1


class Setter(Client):
    """Sets the progress of the nodes, higher each time, and knows what was acknowledged last. Jobs add to it: the steps
    are so large that a step can be distinguished from what jobs add."""
    STEP = 10 ** 9
    pace = 0.01

    def __init__(self, cluster, seed):
        super().__init__(cluster, seed)
        self.acknowledged = {}

    def work(self):
        index = self.random.randint(1, self.cluster.n_nodes)
        state = self.acknowledged.get(index, 0) + self.STEP
        answer = self.talk.ask(type="progress_set", index=index, state=state)
        if answer["type"] != "progress":
            raise AssertionError(f"progress_set was answered by {answer}")
        self.acknowledged[index] = state
        self.settled += 1


class Teller(Client):
    """Moves money between all nodes; each transfer is asked for until it is settled."""

    def __init__(self, cluster, seed):
        super().__init__(cluster, seed)
        self.deposited = 0
        self.refused = {}

    def key(self):
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def deposit(self, node, amount=1000000):
        """Only while the teller is not at work: called before it starts, or with its gate held."""
        talk = Conversation(self.cluster)
        for account in ACCOUNTS:
            answer = talk.ask(type="bank_deposit", node=node, key=self.key(), account=account, amount=amount)
            if answer["type"] != "bank_account":
                raise AssertionError(f"a deposit on node {node} was answered by {answer}")
            self.deposited += amount
        talk.close()

    def work(self):
        source, target = (self.random.randint(1, self.cluster.n_nodes) for _ in range(2))
        answer = self.talk.ask(type="bank_transfer", node=source, key=self.key(), account=self.random.choice(ACCOUNTS),
                               amount=self.random.randint(1, 100), to=self.random.choice(ACCOUNTS), to_node=target)
        if answer["type"] != "bank_account":
            self.refused[answer.get("code")] = self.refused.get(answer.get("code"), 0) + 1
        self.settled += 1


class Digits:
    """The right answers: computed here, without Conclave."""

    def __init__(self):
        self.known = {}

    def sha256(self, n):
        if n not in self.known:
            self.known[n] = hashlib.sha256(factorial_digits(n).encode()).digest()
        return self.known[n]

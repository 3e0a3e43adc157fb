"""Clients that record what they ask and what they are answered; whether that is right is judged later (check.py).

Each operation of a client is one of the history, from its first attempt to the answer that settles it. With a key, all attempts
are the same operation, which happens once, and the client asks until it has an answer. Without a key (progress_set), an attempt
that gets no answer may still take effect, so it is an operation of its own, of unknown outcome, and is not repeated. What was read
is one attempt, too. A process whose operation is unknown goes on under another name, as if it were another client.
"""
import collections
import hashlib
import threading
import time

import msgpack

from clients import ACCOUNTS, PAUSE, RETRY_MS, Client, Conversation, Ended
from models import ENDS, STEP
from snapshots import Snapshot

# Refusals that are certain to have changed nothing. All others leave it open: "unavailable" and "not_coordinator" may come from
# a coordinator that had logged the request.
WITHOUT_EFFECT = {"invalid", "too_costly", "malformed", "busy", "disk_full"}
LEDGER_REFUSALS = WITHOUT_EFFECT | {"insufficient", "not_found", "overflow", "too_many"}
OPEN_MOST = 8             # jobs that a submitter leaves open
SHARED_MOST = 64          # of the latest jobs, which any submitter may ask for again, wait for or cancel
VALUE_NAMES = ("red", "green", "blue")
SETS_EACH = 100000        # sets of one client in a run, at most: what is set is never set twice
SNAPSHOT_MS = 5000
PATIENCE = 3.0            # seconds, for a node that may be away for long


class Settled(Exception):
    """The answer that settles an operation: `outcome` ok or fail, and the result."""

    def __init__(self, outcome, result=None):
        super().__init__(outcome)
        self.outcome, self.result = outcome, result


def passing(answer, refusals):
    """Whether to ask again: there was no answer, or one that settles nothing. A final refusal is raised as Settled."""
    if answer is None:
        return True
    if answer["type"] != "error":
        return False
    if answer["code"] in refusals and answer["code"] not in ("busy", "disk_full"):
        raise Settled("fail", answer["code"])
    if answer["code"] in ("unavailable", "not_coordinator", "busy", "disk_full"):
        return True
    raise AssertionError(f"a refusal that nobody expects: {answer}")


class Recording(Client):
    """A client whose operations are recorded. `name` is its process."""
    retry_ms = RETRY_MS

    def __init__(self, cluster, seed, recorder, name):
        super().__init__(cluster, seed)
        self.recorder, self.base, self.lives = recorder, name, 0

    @property
    def process(self):
        return f"{self.base}.{self.lives}" if self.lives else self.base

    def key(self):
        """Of this client alone, whatever the seeds of others are."""
        return f"{self.base}-{self.random.getrandbits(96):024x}"

    def operation(self, f, args, attempt, patience=None):
        """Records one operation. `attempt(n)` asks for the n-th time: returns the result, raises Settled, or returns
        None, and then it is asked for again within the patience (seconds; 0: never again; None: as long as the trouble
        lasts)."""
        self.recorder.invoke(self.process, f, args)
        attempts, end = 0, time.monotonic() + (patience if patience is not None else 1e9)
        result, outcome = None, "info"
        try:
            while True:
                attempts += 1
                result = attempt(attempts)
                if result is not None:
                    outcome = "ok"
                    break
                if self.over.is_set() or time.monotonic() >= end:
                    break
                self.over.wait(PAUSE)
        except Settled as settled:
            outcome, result = settled.outcome, settled.result
        except Ended:
            pass
        finally:
            self.recorder.complete(self.process, f, outcome, result=result, attempts=attempts)
            self.lives += outcome == "info"
        self.settled += outcome == "ok"
        return result if outcome == "ok" else None

    def ask(self, body, shape, refusals=WITHOUT_EFFECT):
        """An attempt: the answer's result by `shape(answer)`, or None."""
        def attempt(_):
            answer = self.talk.ask_once(body, self.retry_ms)
            return None if passing(answer, refusals) else shape(answer)
        return attempt


# --- jobs ---

def job_row(answer):
    """What an answer tells about its job, as the history has it."""
    row = answer["jobs"][0]
    told = {name: row[name] for name in ("job", "key", "spec", "state", "done", "total")}
    if row["state"] == "done":
        told |= {"sha256": row["sha256"].hex(), "digits": row["digits"]}
    return told | ({"error": row["error"]} if row.get("error") else {})


class Jobs(Recording):
    """What a client can ask about jobs."""

    def submit(self, key, n, patience=None):
        def attempt(_):
            answer = self.talk.ask_once({"type": "submit", "key": key, "kind": "factorial", "spec": str(n)},
                                        self.retry_ms)
            if answer and answer.get("code") == "forgotten":
                return {"forgotten": True}
            return None if passing(answer, WITHOUT_EFFECT) else job_row(answer)
        return self.operation("submit", {"key": key, "spec": str(n)}, attempt, patience)

    def about(self, f, job, body, shape=job_row, patience=0.0):
        """Asks about a job that was accepted."""
        def attempt(_):
            answer = self.talk.ask_once({"job": job["job"]} | body, self.retry_ms + body.get("wait_ms", 0))
            if answer and answer.get("code") == "not_found":
                return {"forgotten": True}
            if answer and answer.get("code") in ("finished", "not_kept"):
                raise Settled("fail", answer["code"])
            return None if passing(answer, WITHOUT_EFFECT) else shape(answer)
        return self.operation(f, {"key": job["key"], "spec": job["spec"], "job": job["job"]}, attempt, patience)

    def get(self, job, wait_ms=0, patience=0.0):
        return self.about("job_get", job, {"type": "job_get", "wait_ms": wait_ms}, patience=patience)

    def cancel(self, job):
        return self.about("job_cancel", job, {"type": "job_cancel"}, patience=PATIENCE)

    def result(self, job):
        """The text itself, all of it: its hash is taken here, not believed."""
        def attempt(_):
            whole, total = b"", 1
            while len(whole) < total:
                frames = self.talk.ask_frames({"type": "result_get", "job": job["job"], "offset": len(whole)},
                                             self.retry_ms)
                if not frames:
                    return None
                if frames[0].get("code") == "not_found":
                    return {"forgotten": True}
                if frames[0].get("code") in ("finished", "not_kept", "unavailable"):
                    raise Settled("fail", frames[0]["code"])
                if passing(frames[0], WITHOUT_EFFECT):
                    return None
                whole, total = whole + b"".join(frames[1:]), frames[0]["total"]
            return {"job": job["job"], "state": "done", "digits": total, "sha256": hashlib.sha256(whole).hexdigest()}
        args = {"key": job["key"], "spec": job["spec"], "job": job["job"]}
        return self.operation("job_result", args, attempt, 0.0)


class Shared:
    """The latest jobs that were accepted, for all submitters, and all of them for the end."""

    def __init__(self):
        self.lock, self.latest, self.all = threading.Lock(), collections.deque(maxlen=SHARED_MOST), {}

    def add(self, job):
        with self.lock:
            self.all[job["key"]] = job
            self.latest.append(job)

    def pick(self, random):
        with self.lock:
            return random.choice(self.latest) if self.latest else None


class Submitter(Jobs):
    """Submits factorials, and asks for its own jobs and those of others: again with the same key, for their state, for
    their end, for their text; some it cancels."""

    def __init__(self, cluster, seed, recorder, name, numbers, shared):
        super().__init__(cluster, seed, recorder, name)
        self.numbers, self.shared, self.open = numbers, shared, []

    def work(self):
        what = self.random.random()
        other = self.shared.pick(self.random)
        if not other or what < 0.5:
            self.add()
        elif what < 0.6:
            self.submit(other["key"], other["spec"])
        elif what < 0.8:
            self.get(other)
        elif what < 0.9:
            self.result(other)
        else:
            self.cancel(other)
        while len(self.open) >= OPEN_MOST and not self.over.is_set():
            row = self.get(self.open[0], wait_ms=500)
            if row and (row.get("state") in ENDS or row.get("forgotten")):
                self.open.pop(0)

    def add(self):
        key, n = self.key(), self.random.choice(self.numbers)
        row = self.submit(key, n)
        if row and "job" in row:
            job = {"key": key, "spec": str(n), "job": row["job"]}
            self.shared.add(job)
            self.open.append(job)


class Prober(Jobs):
    """Submits small jobs at a steady pace, many at a time, whether the others were answered or not: how finely gaps and
    failovers are measured is its pace, and not the time after which a client asks again."""
    PACE, RETRY, NUMBERS, WAITING_MOST = 0.04, 0.25, range(5, 40), 64

    def __init__(self, cluster, seed, recorder, name, shared):
        super().__init__(cluster, seed, recorder, name)
        self.shared, self.waiting, self.asked, self.free, self.slots = shared, {}, {}, [], 0

    def work(self):
        """One turn: a new submit, those that wait too long again, and what was answered."""
        if len(self.waiting) < self.WAITING_MOST:
            self.begin()
        until = time.monotonic() + self.PACE
        while (left := until - time.monotonic()) > 0 and not self.over.is_set():
            if self.talk.dealer.poll(1000 * left):
                self.take(msgpack.unpackb(self.talk.dealer.recv_multipart()[0]))
            for slot, probe in list(self.waiting.items()):
                if time.monotonic() > probe["again"]:
                    self.send(slot, probe)

    def begin(self):
        if not self.free:
            self.slots += 1
            self.free.append(f"{self.base}/{self.slots}")
        slot = self.free.pop()
        probe = {"key": self.key(), "spec": str(self.random.choice(self.NUMBERS)), "attempts": 0}
        self.recorder.invoke(slot, "submit", {"key": probe["key"], "spec": probe["spec"]})
        self.waiting[slot] = probe
        self.send(slot, probe)

    def send(self, slot, probe):
        probe["attempts"] += 1
        probe["again"] = time.monotonic() + self.RETRY
        self.talk.number += 1
        self.asked[self.talk.number] = slot, probe["key"]
        self.talk.dealer.send(msgpack.packb({"request": self.talk.number, "type": "submit", "key": probe["key"],
                                             "kind": "factorial", "spec": probe["spec"]}))

    def take(self, answer):
        slot, key = self.asked.pop(answer.get("request"), (None, None))
        probe = self.waiting.get(slot)
        if not probe or probe["key"] != key or passing(answer, WITHOUT_EFFECT):
            if probe and probe["key"] == key:
                probe["again"] = time.monotonic() + self.PACE
            return
        row = job_row(answer)
        self.recorder.complete(slot, "submit", "ok", result=row, attempts=probe["attempts"])
        self.shared.add({"key": key, "spec": probe["spec"], "job": row["job"]})
        del self.waiting[slot]
        self.free.append(slot)
        self.settled += 1


# --- progress ---

class Progress(Recording):
    """Sets the progress of the nodes, reads it, takes snaps and reads past ones. `number`: of this client, from 1."""
    pace = 0.01

    def __init__(self, cluster, seed, recorder, name, number):
        super().__init__(cluster, seed, recorder, name)
        self.next, self.taken = (number * SETS_EACH + 1) * STEP, []

    def work(self):
        what, index = self.random.random(), self.random.randint(1, self.cluster.n_nodes)
        if what < 0.35:
            self.set(index)
        elif what < 0.7:
            self.get(index)
        elif what < 0.8 or not self.taken:
            self.snap(self.key())
        elif what < 0.85:
            self.snap(self.random.choice(self.taken)[0])
        else:
            self.past(index, self.random.choice(self.taken)[1] + self.random.choice((0, 0, 0, 1)))

    def set(self, index):
        state, self.next = self.next, self.next + STEP
        self.operation("progress_set", {"index": index, "state": state},
                       self.once({"type": "progress_set", "index": index, "state": state}, lambda _: {}))

    def once(self, body, shape):
        """An attempt that is not repeated; a refusal that is certain to have changed nothing is one that failed."""
        def attempt(_):
            answer = self.talk.ask_once(body, self.retry_ms)
            if answer and answer.get("code") in WITHOUT_EFFECT:
                raise Settled("fail", answer["code"])
            if passing(answer, WITHOUT_EFFECT):
                raise Ended
            return shape(answer)
        return attempt

    def get(self, index):
        return self.operation("progress_get", {"index": index}, self.once(
            {"type": "progress_get", "index": index},
            lambda answer: {"state": answer["state"], "snaps": answer["snapshot"]}))

    def snap(self, key):
        def attempt(_):
            answer = self.talk.ask_once({"type": "progress_snap", "key": key}, self.retry_ms)
            if answer and answer.get("code") == "forgotten":  # the model says when it may be
                return {"forgotten": True}
            return None if passing(answer, WITHOUT_EFFECT) else {"snapshot": answer["snapshot"]}
        row = self.operation("progress_snap", {"key": key}, attempt)
        if row and not row.get("forgotten"):
            self.taken.append((key, row["snapshot"]))

    def past(self, index, snapshot):
        def attempt(_):
            answer = self.talk.ask_once({"type": "progress_get", "index": index, "past": True, "snapshot": snapshot},
                                        self.retry_ms)
            if answer and answer.get("code") == "forgotten":
                return {"forgotten": True}
            if passing(answer, WITHOUT_EFFECT):
                raise Ended
            return {"found": True, "state": answer["state"]} if answer["found"] else {"found": False}
        return self.operation("progress_past", {"index": index, "snapshot": snapshot}, attempt)


# --- the ledgers of the nodes ---

class Values(Recording):
    """Puts, reads and deletes values of the nodes; few names, so that clients meet."""
    pace = 0.01

    def work(self):
        node, name = self.random.randint(1, self.cluster.n_nodes), self.random.choice(VALUE_NAMES)
        kind = self.random.random()
        if kind < 0.4:
            self.put(node, name)
        elif kind < 0.5:
            self.delete(node, name)
        else:
            self.get(node, name)

    def put(self, node, name):
        key = self.key()
        args = {"node": node, "name": name, "value": key}
        body = {"type": "kv_put", "key": key} | args
        self.operation("kv_put", args, self.ask(body, lambda _: {}, LEDGER_REFUSALS), PATIENCE)

    def delete(self, node, name):
        """That there is none is what it found, also under a key that is asked for again."""
        args = {"node": node, "name": name}
        body = {"type": "kv_del", "key": self.key()} | args

        def attempt(_):
            answer = self.talk.ask_once(body, self.retry_ms)
            if answer and answer.get("code") == "not_found":
                return {"found": False}
            return None if passing(answer, WITHOUT_EFFECT) else {"found": True}
        self.operation("kv_del", args, attempt, PATIENCE)

    def get(self, node, name, patience=0.0):
        self.operation("kv_get", {"node": node, "name": name}, self.ask(
            {"type": "kv_get", "node": node, "name": name},
            lambda answer: {"value": answer["value"] if answer["found"] else None}), patience)


class Teller(Recording):
    """Moves money between all nodes; each transfer is asked for until it is settled. Between a wipe and the deposit
    after it, a node is `closed`: a transfer to an account that went with the disk comes back, and which of the two
    happened nobody could tell."""

    def __init__(self, cluster, seed, recorder, name):
        super().__init__(cluster, seed, recorder, name)
        self.closed = set()

    def deposit(self, node, amount=1000000):
        """Only while the teller is not at work: called before it starts, or with its gate held."""
        mine, self.talk = getattr(self, "talk", None), Conversation(self.cluster)
        for account in ACCOUNTS:
            args = {"node": node, "account": account, "amount": amount}
            body = {"type": "bank_deposit", "key": self.key()} | args
            if not self.operation("bank_deposit", args, self.ask(body, balance_of, LEDGER_REFUSALS)):
                raise AssertionError(f"a deposit on node {node} was not accepted")
        self.talk.close()
        self.talk = mine
        self.closed.discard(node)

    def work(self):
        nodes = [node for node in range(1, self.cluster.n_nodes + 1) if node not in self.closed]
        source, target = self.random.choice(nodes), self.random.choice(nodes)
        args = {"node": source, "account": self.random.choice(ACCOUNTS), "amount": self.random.randint(1, 100),
                "to": self.random.choice(ACCOUNTS), "to_node": target}
        body = {"type": "bank_transfer", "key": self.key()} | args
        self.operation("bank_transfer", args, self.ask(body, balance_of, LEDGER_REFUSALS))


def balance_of(answer):
    return {"balance": answer["balance"]}


class Snapshots(Recording):
    """Takes global snapshots of any node, and reads them: what a container says never changes, and its money is all the
    money."""
    pace = 0.2

    def __init__(self, cluster, seed, recorder, name):
        super().__init__(cluster, seed, recorder, name)
        self.taken = []

    def work(self):
        node = self.random.randint(1, self.cluster.n_nodes)

        def take(_):
            answer = self.talk.ask_once({"type": "snapshot_take", "node": node}, SNAPSHOT_MS)
            if answer is None or answer["type"] != "snapshot":
                raise Ended
            return {name: answer["heads"][0][name] for name in ("initiator", "incarnation", "counter", "complete")}
        head = self.operation("snapshot_take", {"node": node}, take)
        if head:
            self.taken.append(head)
            self.read(head)
        if self.taken:
            self.read(self.random.choice(self.taken[-10:]))

    def read(self, head):
        """A snapshot is kept on its initiator's disk: one that is away, wiped, or has newer ones instead, does not
        answer."""
        name = {part: head[part] for part in ("initiator", "incarnation", "counter")}

        def attempt(_):
            whole, total = b"", 1
            while len(whole) < total:
                frames = self.talk.ask_frames({"type": "snapshot_get", "node": head["initiator"], "offset": len(whole),
                                               "incarnation": head["incarnation"], "counter": head["counter"]})
                if not frames or frames[0]["type"] != "snapshot_chunk":
                    raise Ended
                whole, total = whole + frames[1], frames[0]["total"]
            read = Snapshot(whole)
            return {"complete": read.complete, "money": read.money(), "counts_agree": read.complete and read.counts_agree(),
                    "sha256": hashlib.sha256(whole).hexdigest()}
        self.operation("snapshot_get", name, attempt)

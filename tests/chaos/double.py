"""A cluster's double for tests of the clients and of the checker: one thread that answers as brokers and nodes do.

What it keeps are sequential objects, so every history of it is linearizable, however requests and answers are lost, late,
doubled or refused: that is drawn from a seed. Each name in FAULTS plants one fault that a cluster could have; then the checker
must say so. It shares no code with the product, nor with the models that judge it.
"""
import hashlib
import heapq
import itertools
import math
import random
import sys
import threading
import time

import msgpack
import zmq

sys.set_int_max_str_digits(0)

FAULTS = ("key_forgotten", "job_lost", "digits_wrong", "digits_change", "cancel_undone", "operation_uncounted",
          "id_used_twice", "done_to_running", "set_lost", "get_stale", "snap_twice", "snap_moves", "snap_torn",
          "put_lost", "value_stale", "deletion_lost",
          "transfer_lost", "transfer_twice", "refused_transfer_moves")
PORTS = (21000, 31000)
LOST, LATE, REFUSED, DOUBLED = 0.04, 0.05, 0.03, 0.03     # of the requests
LATE_SECONDS, JOB_SECONDS = 0.15, 0.02
PLANTED = 0.25           # so often a fault happens where it can


class Double(threading.Thread):
    """`fronts` and `n_nodes` are what clients ask of a cluster."""

    def __init__(self, seed, fault=None, n_nodes=3):
        super().__init__(daemon=True)
        self.random, self.fault, self.n_nodes = random.Random(seed), fault, n_nodes
        self.router = zmq.Context.instance().socket(zmq.ROUTER)
        self.router.setsockopt(zmq.LINGER, 0)
        self.fronts = [self.router.bind_to_random_port("tcp://127.0.0.1", *PORTS)]
        self.over, self.later, self.order = threading.Event(), [], itertools.count()
        self.calm = False        # set: the network is sound, and only what was planted goes wrong
        self.jobs, self.keys = {}, {}
        self.registers, self.before, self.snaps, self.snap_keys = {}, {}, [], {}
        self.values, self.old_values, self.ledger_keys, self.accounts = {}, {}, {}, {}

    def planted(self, fault):
        return self.fault == fault and self.random.random() < PLANTED

    def run(self):
        while not self.over.is_set():
            wait = min(0.02, self.later[0][0] - time.monotonic()) if self.later else 0.02
            if wait > 0 and self.router.poll(1000 * wait):
                client, body, *_ = self.router.recv_multipart()
                self.arrive(client, msgpack.unpackb(body))
            while self.later and self.later[0][0] <= time.monotonic():
                self.execute(*heapq.heappop(self.later)[2:])
        self.router.close()

    def end(self):
        self.over.set()
        self.join(5)

    # --- the network ---

    def arrive(self, client, body):
        fate = self.random.random()
        if self.calm:
            self.execute(client, body, True)
            return
        if fate < LOST:
            return
        if fate < LOST + LATE:
            self.postpone(client, body)
        elif fate < LOST + LATE + REFUSED:
            code = self.random.choice(("unavailable", "not_coordinator", "busy"))
            if code != "busy" and self.random.random() < 0.5:
                self.execute(client, body, False)       # it had an effect, though
            self.send(client, body, {"type": "error", "code": code, "reason": ""})
        else:
            if fate > 1 - DOUBLED and "key" in body:
                self.postpone(client, body)
            self.execute(client, body, self.random.random() >= LOST)

    def postpone(self, client, body, seconds=None):
        after = self.random.uniform(0, LATE_SECONDS) if seconds is None else seconds
        heapq.heappush(self.later, (time.monotonic() + after, next(self.order), client, body, True))

    def send(self, client, body, answer, *frames):
        self.router.send_multipart([client, msgpack.packb(answer | {"request": body["request"]}), *frames])

    def execute(self, client, body, answered):
        if body.pop("wait_ms", 0):       # answered when the job has ended, so soon
            self.postpone(client, body, JOB_SECONDS)
            return
        answer, *frames = getattr(self, body["type"])(body)
        if answered:
            self.send(client, body, answer, *frames)

    @staticmethod
    def refuse(code):
        return ({"type": "error", "code": code, "reason": ""},)

    # --- jobs ---

    def submit(self, body):
        job = self.keys.get(body["key"])
        if job is None or self.planted("key_forgotten"):
            job = 1 << 40 | len(self.jobs) + 1
            if self.jobs and self.planted("id_used_twice"):
                job = self.random.choice(list(self.jobs))
            self.jobs[job] = {"job": job, "key": body["key"], "spec": body["spec"], "state": "running", "done": 0,
                              "total": 1, "due": time.monotonic() + JOB_SECONDS}
            self.keys[body["key"]] = job
        return self.row(job)

    def row(self, job):
        row = self.jobs[job]
        if row["state"] == "running" and time.monotonic() > row["due"] or \
                row["state"] == "cancelled" and self.planted("cancel_undone"):
            text = str(math.factorial(int(row["spec"])))
            text = text[:-1] + "7" if self.planted("digits_wrong") else text
            row |= {"state": "done", "done": 1, "text": text, "digits": len(text),
                    "sha256": hashlib.sha256(text.encode()).digest()}
            worker = self.random.randint(1, self.n_nodes)      # its operation counts for the node that executed it
            self.registers[worker] = self.registers.get(worker, 0) + (0 if self.planted("operation_uncounted") else 1)
        told = {name: value for name, value in row.items() if name not in ("due", "text")}
        if row["state"] == "done" and self.planted("digits_change"):
            told["sha256"] = hashlib.sha256(b"").digest()
        if row["state"] == "done" and self.planted("done_to_running"):
            told["state"] = "running"
        return ({"type": "job", "jobs": [told]},)

    def job_get(self, body):
        if body["job"] not in self.jobs or self.planted("job_lost"):
            return self.refuse("not_found")
        return self.row(body["job"])

    def job_cancel(self, body):
        row = self.row(body["job"])[0]["jobs"][0]
        if row["state"] == "running":
            self.jobs[body["job"]]["state"] = "cancelled"
        return self.row(body["job"])

    def result_get(self, body):
        row = self.row(body["job"])[0]["jobs"][0]
        if row["state"] != "done":
            return self.refuse("finished" if row["state"] == "cancelled" else "unavailable")
        text = self.jobs[body["job"]]["text"].encode()
        return {"type": "result_chunk", "offset": body["offset"], "total": len(text)}, text[body["offset"]:][:20]

    # --- progress ---

    def progress_set(self, body):
        self.before = dict(self.registers)
        if not self.planted("set_lost"):
            self.registers[body["index"]] = body["state"]
        return ({"type": "progress", "found": True, "state": body["state"], "snapshot": len(self.snaps)},)

    def progress_get(self, body):
        found = not body.get("past") or body["snapshot"] < len(self.snaps)
        registers = self.before if self.planted("get_stale") else self.registers
        if body.get("past"):
            registers = self.snaps[body["snapshot"]] if found else {}
            registers = self.registers if found and self.planted("snap_moves") else registers
        return ({"type": "progress", "found": found, "state": registers.get(body["index"], 0),
                 "snapshot": len(self.snaps)},)

    def progress_snap(self, body):
        if body["key"] not in self.snap_keys or self.planted("snap_twice"):
            self.snap_keys[body["key"]] = len(self.snaps)
            taken = dict(self.registers)
            if self.planted("snap_torn"):
                taken[1] = self.before.get(1, 0)
            self.snaps.append(taken)
        return ({"type": "progress", "found": True, "state": 0, "snapshot": self.snap_keys[body["key"]]},)

    # --- ledgers ---

    def kv_put(self, body):
        where = body["node"], body["name"]
        if body["key"] not in self.ledger_keys:
            self.ledger_keys[body["key"]] = None
            if not self.planted("put_lost"):
                self.old_values[where], self.values[where] = self.values.get(where), body["value"]
        return ({"type": "kv_value", "name": body["name"], "found": True},)

    def kv_del(self, body):
        where = body["node"], body["name"]
        if body["key"] not in self.ledger_keys:
            self.ledger_keys[body["key"]] = where in self.values
            if where in self.values and not self.planted("deletion_lost"):
                self.old_values[where] = self.values.pop(where)
        if not self.ledger_keys[body["key"]]:
            return ({"type": "error", "code": "not_found", "reason": "there is no value"},)
        return ({"type": "kv_value", "name": body["name"], "found": True},)

    def kv_get(self, body):
        where = body["node"], body["name"]
        value = (self.old_values if self.planted("value_stale") else self.values).get(where)
        return ({"type": "kv_value", "name": body["name"], "found": value is not None, "value": value or ""},)

    def add(self, node, account, amount):
        self.accounts[node, account] = self.accounts.get((node, account), 0) + amount
        return {"type": "bank_account", "account": account, "balance": self.accounts[node, account]}

    def bank_deposit(self, body):
        if body["key"] not in self.ledger_keys:
            self.ledger_keys[body["key"]] = (self.add(body["node"], body["account"], body["amount"]),)
        return self.ledger_keys[body["key"]]

    def bank_list(self, body):
        rows = [{"account": name, "balance": balance} for (node, name), balance in self.accounts.items()
                if node == body["node"]]
        return ({"type": "bank_page", "more": False, "accounts": rows, "sent": 0},)

    def bank_transfer(self, body):
        if body["key"] in self.ledger_keys:
            return self.ledger_keys[body["key"]]
        there, amount = (body["to_node"], body["to"]), body["amount"]
        if there == (body["node"], body["account"]):
            return self.refuse("invalid")
        short = self.accounts.get((body["node"], body["account"]), 0) < amount
        if short or self.fault == "refused_transfer_moves" and self.planted("refused_transfer_moves"):
            answer = self.refuse("insufficient")
        else:
            answer = (self.add(body["node"], body["account"], -amount),)
        if self.fault == "refused_transfer_moves" or not short:
            for _ in range(0 if self.planted("transfer_lost") else 2 if self.planted("transfer_twice") else 1):
                self.add(*there, amount)
        self.ledger_keys[body["key"]] = answer
        return answer

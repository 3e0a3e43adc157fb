"""The double of values_double.py as a crowd: 100 nodes whose heartbeats and events come by the feed, and 1,000 jobs that all go on.
For tests of who watches a cluster that does not fit this machine. As docs/protocol.md says it, without keys."""
import threading
import time

import msgpack
import zmq

import values_double

NODES, JOBS, PAGE = 100, 1000, 100  # NODES_MAX, as many as the page shows, JOB_PAGE_MAX
BEAT_S = 0.05
OPERATIONS = 1_000_000  # of each job: none ends


class Double(values_double.Double):
    """`events` a second are told. The coordinator is node `coordinator`; elect() makes it another."""

    def __init__(self, port, events=10):
        super().__init__(port)
        self.events, self.coordinator = events, 1
        self.began, self.submitted = time.monotonic(), int(1000 * time.time())
        self.asked = {}  # requests by their kind
        self.lock = threading.Lock()
        self.seqs = dict.fromkeys(range(1, NODES + 1), 0)
        self.feed = self.context.socket(zmq.PUB)
        self.feed.setsockopt(zmq.LINGER, 0)
        self.feed.bind(f"tcp://127.0.0.1:{port + 1}")
        self.beats = threading.Thread(target=self.beat, daemon=True)

    def run(self):
        self.beats.start()
        super().run()

    def take(self, client, head, *frames):
        kind = msgpack.unpackb(head)["type"]
        self.asked[kind] = self.asked.get(kind, 0) + 1
        super().take(client, head, *frames)

    def steps(self):
        """What has been done until now; it grows by a thousand a second."""
        return int(1000 * (time.monotonic() - self.began))

    # --- the feed ---

    def publish(self, node, **fields):
        self.seqs[node] += 1
        head = {"node": node, "incarnation": node << 32 | 7, "seq": self.seqs[node], "time_ms": int(1000 * time.time()),
                "term": self.term}
        self.feed.send(msgpack.packb(head | fields))

    def beat(self):
        told, due = 0, time.monotonic()
        while self.running:
            with self.lock:
                for node in self.seqs:
                    self.publish(node, **self.heartbeat(node))
                while told < self.events * (due - self.began):
                    told += 1
                    self.publish(self.coordinator, type="event", event="job_done", job=1 << 40 | told, text=f"job 1-{told} is done")
            due += BEAT_S
            time.sleep(max(0, due - time.monotonic()))
        self.feed.close(0)

    def heartbeat(self, node):
        leads = node == self.coordinator
        return {"type": "heartbeat", "role": "coordinator" if leads else "worker", "coordinator": self.coordinator,
                "serving": leads, "operations": self.steps() * node, "conversions": node, "queued": node % 7, "held": 3,
                "applied": self.steps(), "rejected": 0, "host": f"host{node:03}.example", "pid": 4000 + node, "slots": 8,
                "operation_slots": 4, "slots_used": node % 9, "version": "0.1.0"}

    def elect(self, node):
        with self.lock:
            self.coordinator, self.term = node, self.term + 1
            self.publish(node, type="event", event="elected", text=f"node {node} is coordinator of term {self.term}")

    # --- requests ---

    def rows(self):
        return [{"node": node, "host": f"host{node:03}.example", "pid": 4000 + node,
                 "role": "coordinator" if node == self.coordinator else "worker", "alive": True, "incarnation": node << 32 | 7,
                 "boots": 1, "term": self.term, "operations": self.steps() * node, "conversions": node, "assigned": node % 7,
                 "held": 3, "applied": self.steps(), "committed": self.steps(), "rejected": 0, "turn_us": 1500 + node,
                 "slots": 8, "operation_slots": 4, "slots_used": node % 9, "voter": node <= 5, "admitted": node <= 5,
                 "version": "0.1.0"} for node in self.seqs]

    def broker_get(self, request):
        return super().broker_get(request) | {"coordinator": self.coordinator, "quorum": 3}

    def status_get(self, _):
        return {"type": "status", "coordinator": self.coordinator, "term": self.term, "quorum": 3, "healthy": True, "may_fail": 2,
                "nodes": self.rows(), "queued": 0, "running": JOBS, "done": 0, "failed": 0, "cancelled": 0,
                "operations": 5000 * self.steps(), "elections": self.term, "restarts": 0, "founded": True}

    def job_list(self, request):
        first = max(1, (request.get("after", 0) & (1 << 40) - 1) + 1)
        rows = [self.job(number) for number in range(first, min(first + PAGE, JOBS + 1))]
        return {"type": "job_page", "jobs": rows, "more": first + PAGE <= JOBS}

    def job(self, number):
        return {"job": 1 << 40 | number, "key": f"key-{number}", "kind": "factorial", "spec": str(1000 + number), "state": "running",
                "submitted_ms": self.submitted, "done": min(OPERATIONS, self.steps() * (1 + number % 10)), "total": OPERATIONS,
                "executed": min(OPERATIONS, self.steps() * (1 + number % 10))}

    def job_get(self, request):
        return {"type": "job", "jobs": [self.job(request["job"] & (1 << 40) - 1)]}

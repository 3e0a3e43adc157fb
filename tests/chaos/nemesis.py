"""The trouble: what happens to nodes and brokers, drawn from one seed; each kind is counted."""
import json
import shutil
import signal
import time

from harness import seconds, wait_for


class Nemesis:
    """Does one thing at a time, to a minority of the nodes, or to all of them at once by a loss of power."""

    def __init__(self, cluster, random, teller, log):
        self.cluster, self.random, self.teller, self.log = cluster, random, teller, log
        self.fired, self.lost, self.healed = {}, {}, []
        self.minority = (cluster.n_nodes - 1) // 2
        self.kinds = [self.kill_worker, self.kill_coordinator, self.stop_worker, self.stop_coordinator,
                      self.stop_minority, self.kill_and_stop, self.kill_broker, self.power_loss,
                      self.wipe_one, self.wipe_minority, self.wipe_coordinator]
        self.bag = []

    def strike(self):
        """One more trouble; every kind has its turn before one comes again."""
        if not self.bag:
            self.bag = self.random.sample(self.kinds, len(self.kinds))
        kind = self.bag.pop()
        name = kind.__name__
        began = time.monotonic()
        kind()
        self.fired[name] = self.fired.get(name, 0) + 1
        self.log(f"{name}: over after {time.monotonic() - began:.1f} s")

    # --- who ---

    def coordinator(self):
        return self.cluster.wait_served(seconds(20))["coordinator"]

    def workers(self, n):
        leader = self.coordinator()
        others = [node for node in range(1, self.cluster.n_nodes + 1) if node != leader]
        return self.random.sample(others, min(n, len(others)))

    def pause(self, most):
        time.sleep(self.random.uniform(0.05, most))  # how long the trouble lasts is part of it

    # --- what ---

    def kill(self, nodes, after=1.0):
        for node in nodes:
            self.cluster.kill(self.cluster.nodes[node])
        self.pause(after)
        for node in nodes:
            self.cluster.start_node(node)

    def stop(self, nodes, most=3.0):
        for node in nodes:
            self.cluster.nodes[node].send_signal(signal.SIGSTOP)
        self.pause(most)
        for node in nodes:
            self.cluster.nodes[node].send_signal(signal.SIGCONT)

    def kill_worker(self):
        self.kill(self.workers(1))

    def kill_coordinator(self):
        self.kill([self.coordinator()])

    def stop_worker(self):
        self.stop(self.workers(1))

    def stop_coordinator(self):
        self.stop([self.coordinator()])

    def stop_minority(self):
        """Longer than what the others keep in memory for followers that lag a little."""
        self.stop(self.workers(self.minority), 5.0)

    def kill_and_stop(self):
        nodes = self.workers(self.minority)
        self.cluster.kill(self.cluster.nodes[nodes[0]])
        self.stop(nodes[1:], 2.0)
        self.cluster.start_node(nodes[0])

    def kill_broker(self):
        broker = self.random.randrange(self.cluster.n_brokers)
        self.cluster.kill(self.cluster.brokers[broker])
        self.pause(0.5)
        self.cluster.start_broker(broker)

    def power_loss(self):
        self.kill(range(1, self.cluster.n_nodes + 1), 0.3)

    # --- disks ---

    def wipe_one(self):
        self.wipe(self.workers(1))

    def wipe_minority(self):
        self.wipe(self.workers(self.minority))

    def wipe_coordinator(self):
        self.wipe([self.coordinator()])

    def wipe(self, nodes):
        """Only in a cluster that is whole: what a wipe may cost is said for a minority. The tellers stand still
        until all money has arrived, so that the account of what the wiped disks had is exact."""
        self.heal()
        with self.teller.gate:
            for node in nodes:
                self.lost[node] = self.lost.get(node, 0) + money_of(self.cluster, node)
            for node in nodes:
                self.cluster.kill(self.cluster.nodes[node])
                shutil.rmtree(self.cluster.dir / f"node{node}")
            self.pause(1.0)
        began = time.monotonic()
        for node in nodes:
            self.cluster.start_node(node)
        self.heal()
        self.healed.append(time.monotonic() - began)
        with self.teller.gate:
            for node in nodes:
                self.teller.deposit(node)

    def heal(self, deadline=30):
        return wait_for(lambda: whole(self.cluster), deadline, "the cluster is whole again", pause=0.2)


def whole(cluster):
    """The status when all nodes are alive, level and, if they vote, admitted; else None."""
    status = cluster.status()
    if not status or not status["healthy"]:
        return None
    rows = status["nodes"]
    admitted = all(row.get("admitted", True) or row["id"] > status.get("voters", len(rows)) for row in rows)
    return status if admitted and not any(row.get("behind") for row in rows) else None


def money_of(cluster, node):
    """All that a node has, once nothing is on its way anywhere."""
    def settled():
        done = cluster.conclave("bank", "list", "--json")
        listed = done.returncode == 0 and json.loads(done.stdout)
        return listed if listed and not listed["sent"] else None
    listed = wait_for(settled, 30, "all money has arrived", pause=0.1)
    row = next(row for row in listed["nodes"] if row["node"] == node)
    return sum(row["accounts"].values())

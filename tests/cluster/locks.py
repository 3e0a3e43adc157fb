"""The keys of the clusters of tests, for clients that are not of the product.

Every cluster of a test has keys, as users' clusters do (`conclave keys init`), unless it is made with insecure=True. A
socket gets those for an address with unlock(), before it connects: the cluster is known by the port. They lie where `up --dir up` looks for them.
"""
import json
import pathlib
import subprocess

import signing

CLUSTERS = []  # of this process, the latest last
BROKERS_PLANES = (0, 3)  # control and heartbeat: what a broker may connect to


class Locks:
    def __init__(self, program, directory, port, nodes, fronts, environment):
        self.dir, self.port, self.nodes, self.fronts = pathlib.Path(directory), port, nodes, fronts
        subprocess.run([str(program), "keys", "init", "--dir", str(self.dir), "--nodes", str(nodes), "--broker",
                        ",".join(f"tcp://127.0.0.1:{front}" for front in fronts)],
                       env=environment, check=True, stdout=subprocess.DEVNULL)
        CLUSTERS.append(self)

    def forget(self):
        if self in CLUSTERS:
            CLUSTERS.remove(self)

    @property
    def admin(self):
        return self.dir / "access.json"

    def file(self, name):
        return self.dir / "keys" / f"{name}.json"

    def node(self, node):
        return self.file(f"node{node}")

    def broker(self, number=0):
        return self.file(f"broker{number + 1}" if number else "broker")

    def read(self, path):
        return json.loads(pathlib.Path(path).read_text(encoding="ascii"))

    def allowed(self):
        return self.read(self.file("allowed"))["keys"]

    def public_of_node(self, node):
        return self.read(self.node(node))["public"]

    def owns(self, port):
        return port in [p for front in self.fronts for p in (front, front + 1)] or \
            self.port + 110 <= port < self.port + 110 + 10 * self.nodes

    def unlock(self, socket, port, path=None):
        """With the key in the file `path`; else with one that is admitted at that port."""
        if port < self.port + 110:
            mine, server = self.read(path or self.admin), self.read(self.admin)["brokers_public"]
        else:
            node, plane = divmod(port - self.port - 100, 10)
            other = self.node(1 if node != 1 else 2)
            mine = self.read(path or (self.broker() if plane in BROKERS_PLANES else other))
            server = self.public_of_node(node)
        socket.curve_publickey, socket.curve_secretkey = mine["public"].encode(), mine["secret"].encode()
        socket.curve_serverkey = server.encode()


def of(address):
    """The keys of the cluster that listens at an address, and the port; None: it has none."""
    port = int(address.rpartition(":")[2])
    return next((locks for locks in reversed(CLUSTERS) if locks.owns(port)), None), port


def unlock(socket, address, path=None):
    """Gives a socket the keys for an address, when it needs some. Returns the socket."""
    locks, port = of(address)
    if locks:
        locks.unlock(socket, port, path)
    return socket


def stated(address):
    """What a broker puts before a request of the admin, when it asks the node at an address."""
    locks, _ = of(address)
    return locks.read(locks.admin)["public"].encode() if locks else b""


def signer(address):
    """Signs for the admin of the cluster at an address."""
    locks, _ = of(address)
    return signing.Signer(locks.admin) if locks else signing.Unsigned()


def connect(socket, address):
    unlock(socket, address).connect(address)
    return socket

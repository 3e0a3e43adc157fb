"""The keys of the foreign node (docs/security.md): its own, those of the others, and who is admitted at which plane."""
import json
import pathlib

from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85

DOMAINS = ("control", "channel", "checkpoint", "heartbeat", "value")


class Keys:
    def __init__(self, path, context):
        def read(file):
            return json.loads(file.read_text(encoding="ascii"))
        self.own = read(pathlib.Path(path))
        self.allowed = {row["public"].encode(): row for row in read(pathlib.Path(path).with_name("allowed.json"))["keys"]}
        self.handler = ThreadAuthenticator(context)
        self.handler.start()
        for domain in DOMAINS:
            self.handler.configure_curve_callback(domain, self)

    def callback(self, domain, key):
        row = self.allowed.get(z85.encode(key) if len(key) == 32 else key)
        roles = ("node", "broker") if domain in ("control", "heartbeat") else ("node",)
        return bool(row) and row["role"] in roles

    def show(self, socket):
        socket.curve_publickey, socket.curve_secretkey = self.own["public"].encode(), self.own["secret"].encode()

    def present(self, socket, peer):
        self.show(socket)
        socket.curve_serverkey = next(key for key, row in self.allowed.items() if row["node"] == peer)

    def guard(self, socket, plane):
        self.show(socket)
        socket.curve_server = True
        socket.zap_domain = DOMAINS[plane].encode()

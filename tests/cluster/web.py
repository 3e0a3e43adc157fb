"""`conclave web` in tests: the process, requests, the stream of events, and a strict reader of metrics."""
import http.client
import json
import os
import pathlib
import re
import socket
import threading

from harness import wait_for


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


class Web:
    """A web process of a cluster, on a free port."""

    def __init__(self, cluster, *options, key=None, **more):
        arguments = ["--access", key] if key else []
        self.process = cluster.start_conclave(*arguments, "web", "--json", "--http-port", 0, "--token-file",
                                              cluster.dir / "web.token", *options, **more)
        self.about = json.loads(self.process.stdout.readline())
        self.port = int(self.about["url"].rsplit(":", 1)[1].strip("/"))
        self.token = (cluster.dir / "web.token").read_text(encoding="ascii").strip()

    def ask(self, method, path, body=None, token=None, headers=None, timeout=20):
        """Returns (status, body, headers); a body that is no bytes is sent as JSON."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def get(self, path, **more):
        status, body, _ = self.ask("GET", path, **more)
        assert status == 200, (status, body)
        return json.loads(body)

    def post(self, path, body=None, **more):
        status, got, _ = self.ask("POST", path, body, **{"token": self.token} | more)
        return status, json.loads(got)

    def delegates(self):
        """The ids of the commands that make answers."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(pid) == self.process.pid]

    def hold(self, path, room=4096):
        """A connection that asks, and reads nothing of a long answer."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection

    def raw(self, text, timeout=20):
        """Sends bytes as they are; returns all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(text)
            got = b""
            while part := connection.recv(1 << 16):
                got += part
            return got


class Stream:
    """A reader of /api/events, in a thread."""

    def __init__(self, web, last=None):
        headers = {"Last-Event-ID": str(last)} if last is not None else {}
        self.connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
        self.connection.request("GET", "/api/events", headers=headers)
        self.socket = self.connection.sock  # http.client forgets it
        self.answer = self.connection.getresponse()
        self.messages, self.ended = [], False
        if self.answer.status == 200:
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        fields = {}
        try:
            while line := self.answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif fields:
                    self.messages.append((fields["event"], json.loads(fields["data"]), int(fields.get("id", 0))))
                    fields = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass
        self.ended = True

    def wait(self, condition, deadline=10, what=None):
        """The first message (event, data, id) that fits."""
        return wait_for(lambda: next((m for m in list(self.messages) if condition(*m)), None), deadline, what)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)


DELEGATES_MAX = 4  # web_limits.h
NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?)")
PARTS = ("_bucket", "_sum", "_count")
UNITS = ("milliseconds", "microseconds", "_ms", "_us", "minutes", "kilobytes", "mebibytes")


def read_metrics(text):
    """{(name, ((label, value), ...)): number}. Stricter than the format: HELP, then TYPE, then all samples of a name at once;
    names as Prometheus' rules have them."""
    found, seen, name, kind, helped = {}, set(), None, None, None
    assert text.endswith("\n") and "\n\n" not in text
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped, _, told = line[7:].partition(" ")
            assert re.fullmatch(NAME, helped) and told and helped not in seen, line
            seen.add(helped)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == helped and kind in ("counter", "gauge", "histogram"), line
            assert name.startswith("conclave_") and (kind == "counter") == name.endswith("_total"), line
            assert not any(unit in name for unit in UNITS), line
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample and sample[1] in ([name] if kind != "histogram" else [name + part for part in PARTS]), line
            labels = tuple(re.findall(LABEL, sample[2] or ""))
            assert len({label for label, _ in labels}) == len(labels) and (sample[1], labels) not in found, line
            found[sample[1], labels] = float(sample[7])
            assert kind == "gauge" or found[sample[1], labels] >= 0, line
    check_buckets(found)
    return found


def check_buckets(found):
    """Of each histogram: no bucket counts less than one below it, and the last has all."""
    last = {}
    for (name, labels), number in found.items():
        if name.endswith("_bucket"):
            of, (label, bound) = (name.removesuffix("_bucket"), labels[:-1]), labels[-1]
            before = last.get(of, (0, 0))
            assert label == "le" and float(bound) > before[0] and number >= before[1], (name, labels)
            last[of] = (float(bound), number)
    for (name, labels), (bound, number) in last.items():
        assert bound == float("inf") and number == found[name + "_count", labels] and (name + "_sum", labels) in found, name

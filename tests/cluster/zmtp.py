"""Connections by hand (ZMTP 3.0, RFC 23): what no library would send, and many at a time."""
import resource
import socket
import struct

MORE, LONG, COMMAND = 1, 2, 4
GREETING = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL" + b"\0" * 48
DESCRIPTORS = 15000  # of the test itself


def ready(kind):
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind + b"\x08Identity\0\0\0\0"
    return bytes([COMMAND, len(body)]) + body


def frame(body, flags=0):
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack(">Q", len(body)) + body


def receive(raw, n):
    got = b""
    while len(got) < n:
        more = raw.recv(n - len(got))
        if not more:
            raise ConnectionResetError("it was ended")
        got += more
    return got


def connect(port, kind=b"DEALER", receive_buffer=None):
    """A socket whose handshake is done: who sends more before is ended."""
    raw = socket.socket()
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(10)
    raw.connect(("127.0.0.1", port))
    raw.sendall(GREETING + ready(kind))
    receive(raw, len(GREETING))
    receive(raw, receive(raw, 2)[1])
    return raw


def raise_descriptors():
    """For tests that hold many connections; returns what the limits were."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], DESCRIPTORS), before[1]))
    return before


def is_ended(raw):
    """The other side has closed, or reset, the connection; what it said before that is read."""
    raw.setblocking(False)
    try:
        while raw.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        raw.settimeout(10)

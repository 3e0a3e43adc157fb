"""A broker's two ports, at an address of their own, and a feed that falls silent while its connections stay alive.

What a connection carries is read (ZMTP 3, in the clear: for clusters without keys): from silence() on the messages of the
feed connections that are open are dropped, while the commands pass, so that both ends take each other for alive. Connections
that come later are left alone.
"""
import socket
import struct
import threading

from zmtp import COMMAND, GREETING, LONG, receive

HOST = "127.0.2.1"


class DeafBroker:
    """For a broker that listens at `port` and `port` + 1 of 127.0.0.1."""

    def __init__(self, port):
        self.port, self.address = port, f"tcp://{HOST}:{port}"
        self.feeds, self.silent, self.sockets = 0, 0, []
        for at in (port, port + 1):
            listener = socket.create_server((HOST, at))
            self.sockets.append(listener)
            threading.Thread(target=self._accept, args=(listener, at), daemon=True).start()

    def silence(self):
        """Returns how many connections of the feed were opened until now: these are silent."""
        self.silent = self.feeds
        return self.silent

    def close(self):
        for it in self.sockets:
            try:
                it.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            it.close()

    def _accept(self, listener, port):
        try:
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                self.sockets += [near, far]
                number = 0
                if port != self.port:
                    self.feeds += 1
                    number = self.feeds
                for pump in ((self._frames if number else self._bytes, far, near, number), (self._bytes, near, far, 0)):
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()
        except OSError:
            pass

    def _pump(self, how, source, target, number):
        try:
            how(source, target, number)
        except OSError:
            pass
        for it in (source, target):
            try:
                it.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _bytes(self, source, target, _):
        while data := source.recv(1 << 16):
            target.sendall(data)

    def _frames(self, source, target, number):
        for _ in GREETING:  # each side waits for parts of the other's
            target.sendall(receive(source, 1))
        while True:
            flags = receive(source, 1)
            size = receive(source, 8 if flags[0] & LONG else 1)
            body = receive(source, struct.unpack(">Q" if flags[0] & LONG else "B", size)[0])
            if flags[0] & COMMAND or number > self.silent:
                target.sendall(flags + size + body)

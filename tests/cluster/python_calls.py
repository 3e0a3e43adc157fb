"""Functions that test_python_client_executor.py runs on nodes: they are imported there."""
import os
import pathlib
import signal
import sys
import threading
import time


def square(n):
    return n * n


def add(a, b=0, *, c=0):
    return a + b + c


def divide(a, b):
    return a / b


def nap(seconds, value=None):
    time.sleep(seconds)
    return value


def wait_for_file(path, value):
    end = time.monotonic() + 60
    while not pathlib.Path(path).exists():
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.02)
    return value


def chatter(text):
    print(text)
    os.system("echo and a child")
    return len(text)


def leave(code):
    raise SystemExit(code)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Unpicklable(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.lock = b


def awkward():
    import threading
    raise Unpicklable("odd", threading.Lock())


def lock():
    import threading
    return threading.Lock()


class Kept:
    """What a weak reference can be made to, and that pickle knows."""

    def __init__(self, number=0):
        self.number = number

    def twice(self):
        return 2 * self.number


def stop():
    raise StopIteration("in a call")


class Outcome:
    """What is unpickled as something else: (function, arguments)."""

    def __init__(self, function, *arguments):
        self.outcome = function, arguments

    def __reduce__(self):
        return self.outcome


class Stubborn(Exception):
    def __setattr__(self, name, value):
        raise TypeError("it has no attributes")


class NoException(Exception):
    def __reduce__(self):
        return str, ("a text",)


def interrupt():
    raise KeyboardInterrupt


def strange_outcome(what):
    if what == "exits":
        return Outcome(sys.exit, 3)
    if what == "interrupts":
        return Outcome(interrupt)
    raise Stubborn("as it came") if what == "stubborn" else NoException()


class Speechless:
    def __repr__(self):
        raise ValueError("it has no words")

    def __reduce__(self):
        raise TypeError("it stays here")


def unpicklable(what):
    return Speechless() if what == "speechless" else [threading.Lock(), *range(1_000_000)]

"""Where a cluster is, and with which key: what the command line looks for, in the same places."""
from __future__ import annotations

import json
import os
import pathlib
import re
import stat
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Union

from .errors import Usage

PORT = 7000
BROKERS_MAX = 16
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%\w+)?|\[[0-9A-Fa-f:.]+(%\w+)?\]", re.ASCII)
KEY = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")  # of Z85 (ZeroMQ RFC 32)
Brokers = Union[None, str, Sequence[str]]


@dataclass(frozen=True)
class Key:
    """A key file: 40 characters of Z85 for each key."""
    cluster: str
    public: str
    secret: str
    brokers_public: str
    signing_secret: Optional[str]
    role: str
    brokers: Sequence[str]
    path: str


@dataclass(frozen=True)
class Access:
    """The brokers as (host, port), and the key; None: a cluster without keys."""
    brokers: Sequence["tuple[str, int]"]
    key: Optional[Key]


def parse_brokers(given: Union[str, Sequence[str]]) -> "List[tuple[str, int]]":
    """"tcp://HOST:PORT" or HOST, several in a list or separated by commas."""
    words = given.split(",") if isinstance(given, str) else list(given)
    found = []
    for word in (w.strip() for w in words):
        host, colon, port = word[6 * word.startswith("tcp://"):].rpartition(":")
        if not colon or port.endswith("]"):
            host, port = word[6 * word.startswith("tcp://"):], str(PORT)
        if not HOST.fullmatch(host) or host.isdigit() or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65535:
            raise Usage(f"'{word}' is not an address, which looks like tcp://127.0.0.1:7000, HOST:PORT or HOST")
        found.append((host, int(port)))
    if not 0 < len(found) <= BROKERS_MAX:
        raise Usage(f"1 to {BROKERS_MAX} brokers are needed")
    return found


def _load(path: pathlib.Path) -> Key:
    try:
        info = path.stat()
        if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Usage(f"{path} can be read by others; chmod 600 makes it private")
        file: Any = json.loads(path.read_text(encoding="utf-8"))
        key = Key(file["cluster"], file["public"], file["secret"], file["brokers_public"], file.get("signing_secret"),
                  file["role"], file.get("brokers") or [], str(path))
        for text in (key.public, key.secret, key.brokers_public, *([key.signing_secret] if key.signing_secret else [])):
            if not KEY.fullmatch(text):
                raise ValueError("what should be a key is none")
        if not all(isinstance(text, str) for text in (key.cluster, key.role, *key.brokers)):
            raise ValueError("a text is missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Usage(f"{path} is no key file: {error}") from error
    if key.role in ("node", "broker"):
        raise Usage(f"{path} is the key of a {key.role}; a client needs one of a person")
    return key


def _trusted(directory: pathlib.Path) -> None:
    """A directory that is found by its name belongs to us or to root, and nobody else may write there."""
    info = directory.stat()
    if info.st_uid not in (0, os.getuid()) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Usage(f"{directory} belongs to somebody else, or others may write there")


def _search(directory: Optional[str]) -> pathlib.Path:
    here = pathlib.Path.cwd()
    places = [pathlib.Path(directory)] if directory else [p / ".conclave" for p in (here, *here.parents)]
    for place in places:
        if (place / "access.json").exists():
            _trusted(place)
            return place / "access.json"
    raise Usage(f"no cluster is known here: there is no access.json in {directory or '.conclave/ here or above'}; "
                "`conclave up` starts a cluster, access= names a key (insecure=True: a cluster without keys)")


def find(brokers: Brokers = None, access: Optional[str] = None, directory: Optional[str] = None,
         insecure: Optional[bool] = None) -> Access:
    """What is not given is taken from CONCLAVE_BROKER, _ACCESS, _DIR and _INSECURE, then from .conclave/ here or above."""
    env = os.environ.get
    if not access and not directory:
        access, directory = env("CONCLAVE_ACCESS") or None, env("CONCLAVE_DIR") or None
    if insecure is None:
        insecure = env("CONCLAVE_INSECURE") == "1"
    key = None if insecure else _load(pathlib.Path(access) if access else _search(directory))
    named = brokers or env("CONCLAVE_BROKER") or (key.brokers if key else None) or f"127.0.0.1:{PORT}"
    return Access(parse_brokers(named), key)

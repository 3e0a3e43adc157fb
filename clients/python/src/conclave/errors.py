"""Errors, with the names of the command line's exit codes."""
from __future__ import annotations

from typing import Optional


class ConclaveError(Exception):
    """Something went wrong; `exit_code` is what `conclave` would have ended with."""
    exit_code = 1


class Failed(ConclaveError):
    """The job failed, or something else without an exit code of its own."""
    exit_code = 1


class Usage(ConclaveError):
    """An argument is wrong, or there is no key file; nothing was changed."""
    exit_code = 2


class Unreachable(ConclaveError):
    """No broker answers, or there is no coordinator."""
    exit_code = 3


class TimedOut(ConclaveError, TimeoutError):
    """No answer in time; the request may have taken effect, or may still do so."""
    exit_code = 4


class Cancelled(ConclaveError):
    """The job was cancelled."""
    exit_code = 5


class NotFound(ConclaveError):
    """There is no such job, value or snapshot, or it was forgotten."""
    exit_code = 6


class KeyRefused(ConclaveError):
    """A broker refuses the key, or it may not do what was asked for."""
    exit_code = 7


class OverQuota(ConclaveError):
    """The key is over a quota."""
    exit_code = 8


class TaskFailed(Failed):
    """A task of a map did not end with exit code 0; `task` says how it ended."""

    def __init__(self, message: str, task: Optional[object] = None) -> None:
        super().__init__(message)
        self.task = task


_CODES = {"quota": OverQuota, "invalid": Usage, "too_costly": Usage, "malformed": Usage, "not_found": NotFound,
          "forgotten": NotFound, "not_kept": NotFound, "unavailable": Unreachable, "not_coordinator": Unreachable,
          "disk_full": Unreachable, "forbidden": KeyRefused, "unsigned": KeyRefused, "key_unknown": KeyRefused}


def of_refusal(code: str, reason: str) -> ConclaveError:
    """What an answer of type `error` is raised as."""
    return _CODES.get(code, Failed)(reason)

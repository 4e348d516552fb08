"""The ways in which a playing or a turn ends early.

Owns: the exceptions that carry them. Refuses: acting on them.
May be imported by: the other modules of ``mock_clis``.
"""

from __future__ import annotations


class Unexpected(Exception):
    """The parent said something that the scenario does not allow; the text shows the difference."""


class Stopped(Exception):
    """The mock is to end with ``code`` for an ordinary cause: end of input, SIGINT, ``end_session``, a broken line."""

    def __init__(self, code: int, words: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.words = words


class TurnAborted(Exception):
    """The running turn is over: interrupted by the host, or by SIGINT, which ends the process as well."""

    def __init__(self, ends_process: bool = False) -> None:
        super().__init__(ends_process)
        self.ends_process = ends_process


class ApiFailed(Exception):
    """The model's server failed, and with it the turn; carries the scenario's ``api_error`` object."""

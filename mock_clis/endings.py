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
    """The running turn is over: interrupted by the host, by SIGINT, which ends the process as well, or by a prompt that
    cannot wait."""

    def __init__(self, ends_process: bool = False, steered: bool = False) -> None:
        super().__init__(ends_process, steered)
        self.ends_process = ends_process
        self.steered = steered


class ApiFailed(Exception):
    """The model's server failed, and with it the turn; carries the scenario's ``api_error`` object."""

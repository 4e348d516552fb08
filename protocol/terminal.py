"""What a program wrote to a terminal, as the lines that it would have written to a pipe. Pure.

A terminal brings escape sequences, control characters and carriage returns around the lines, and text that was meant
for a person in front of them. JSON text holds none of those bytes (RFC 8259 has control characters escaped), so
taking them out never harms a message.
"""

from __future__ import annotations

import re

from protocol.framing import Frame, LineFramer

_NOISE = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    rb"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS and the other strings
    rb"|\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor, modes
    rb"|\x1b[ -/]*[0-~]?"  # the short ones
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"  # bells, back-spaces, shifts
)
"""ECMA-48's forms of escape sequences, and control characters but for tab, LF, CR and ESC."""

_JSON_BEHIND_TEXT = re.compile(rb"(?P<text>[^{]+)(?P<json>\{\".*\})\s*\Z", re.DOTALL)


class TerminalFramer:
    """A `LineFramer` for the output of a terminal. Lines of nothing but noise are skipped.

    Args:
        limit: bytes of the longest line that is kept.
    """

    def __init__(self, limit: int) -> None:
        self._lines = LineFramer(limit)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take in a chunk; return the lines that it completes."""
        return _clean(self._lines.feed(chunk))

    def eof(self) -> list[Frame]:
        """The line that had no line end, if there is one."""
        return _clean(self._lines.eof())


def _clean(frames: list[Frame]) -> list[Frame]:
    cleaned: list[Frame] = []
    for frame in frames:
        if not isinstance(frame, bytes) or (frame[:1] == b"{" and frame[-1:] == b"}" and b"\x1b" not in frame):
            cleaned.append(frame)
        else:
            cleaned += _split(_NOISE.sub(b"", frame))
    return cleaned


def _split(line: bytes) -> list[bytes]:
    """A carriage return begins the line anew on a terminal; here each beginning is a line of its own. Text that a
    message follows on the same line is one, too."""
    parts: list[bytes] = []
    for part in line.split(b"\r"):
        mixed = _JSON_BEHIND_TEXT.match(part)
        parts += [mixed["text"], mixed["json"]] if mixed else [part]
    return [stripped for part in parts if (stripped := part.strip())]

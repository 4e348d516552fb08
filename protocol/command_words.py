"""The words of commands that may be names of files: `"$CLAUDE_PROJECT_DIR"/.claude/hooks/x.sh --quiet` names one. Pure.

Errs on the side of too many words: whoever uses them looks which of them are files. What a shell would first have to
work out (a name put together from variables, a script's own imports) is not found. Anybody may import it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WORDS: Final = 1000
"""Words of one thing that are looked up. A command line has ten; a script that is written into a setting, hundreds."""

MAX_WORD: Final = 1024
"""Characters of a word. Paths are shorter."""

PROSE: Final = frozenset({"description", "matcher", "model", "prompt", "statusMessage", "type", "url"})
"""Members of hooks, servers and settings that name no file to run."""

_WRITTEN = re.compile(r""">>?&?\s*(?:"[^"]*"|'[^']*'|[^\s;|&<>()"']+)""")
_BETWEEN = re.compile(r"""[\s"'`;|&<>()=,]+""")
_VARIABLE = re.compile(r"\A\$(?:\w+|\{[^}]*\})")


def find_words(content: Any) -> list[str]:
    """The words of a command, or of all texts in an object or array; those that begin with a variable without it.

    What a command writes to (`>> hooks.log`) is left out: it is another with each run.
    """
    words: dict[str, None] = {}
    for text in _texts(content):
        for word in _split(text):
            name = _VARIABLE.sub("", word)
            name = name.lstrip("/") if name != word else name
            if name and len(name) <= MAX_WORD and "\0" not in name:
                words[name] = None
                words[name.strip("[]{}") or name] = None  # from the header of a text: `{command: ./x}`
            if len(words) >= MAX_WORDS:
                return list(words)[:MAX_WORDS]
    return list(words)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for name, value in content.items():
            if name not in PROSE:
                yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)


def _split(text: str) -> Iterator[str]:
    text = _WRITTEN.sub(" ", text)
    yield from _BETWEEN.split(text)
    # Names with blanks in them; and an argument as a whole, which may be one.
    yield text
    if len(text) <= 10 * MAX_WORD and ("'" in text or '"' in text or "\\" in text):
        try:
            yield from shlex.split(text, comments=False)
        except ValueError:
            return

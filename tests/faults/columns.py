"""The columns: what a session is doing when something breaks. Pure: what to say to which CLI, and what then runs.

Each real prompt is a directive of `tests.support.model_server`; the mock plays the same with processes of its own
making. Every process that a prompt starts is a `sleep` of a length of its own, by which the harness knows it is there.
Where it comes first it is called by its path: claude 2.1.329 refuses commands that begin with a long `sleep`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

HELLO = "SC:hello"
"""The first prompt of every session: without an answer there would be nothing to resume."""

ECHO = "SC:echo"
"""Has the model server tell what it knows of the conversation."""

MCP_SECONDS = "3011"
FOREVER_MS = 3_600_000


@dataclass(frozen=True)
class Prompt:
    """A prompt for the real CLI, what the mock makes of it, and which sleeps run from then on."""

    text: str
    sleeps: tuple[str, ...] = ()
    mock: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Column:
    """`prompts` follow the first one; with `busy` the turn of the last is still running when something breaks.

    With `works` the real CLI, between turns, tells of work in the background: such a session is never idle.

    `each` makes a column of many sessions, doing what those columns say.
    """

    name: str
    title: str
    prompts: tuple[Prompt, ...] = ()
    busy: bool = False
    works: bool = False
    streams: bool = False
    mcp: bool = False
    each: tuple[str, ...] = ()

    @property
    def sleeps(self) -> tuple[str, ...]:
        """All sleeps that must run before something is broken."""
        sleeps = [name for prompt in self.prompts for name in prompt.sleeps]
        return (*sleeps, MCP_SECONDS) if self.mcp else tuple(sleeps)


def _tool(*grandchildren: Json, takes_ms: int = 0) -> Json:
    during = [{"grandchild": {**options, "seconds": int(options["seconds"])}} for options in grandchildren]
    return {"tool": "Bash", "input": {"command": "sleep"}, "output": "", "during": during, "takes_ms": takes_ms}


def _run(*grandchildren: Json, takes_ms: int = 0) -> tuple[Json, ...]:
    return (_tool(*grandchildren, takes_ms=takes_ms), {"text": "Finished."})


QUIET = ">/dev/null 2>&1"

SINGLE = (
    Column("idle", "idle"),
    Column(
        "streaming",
        "streaming",
        (Prompt("SC:slow 4000 ms=25", mock=({"text": "word " * 4000, "chunk": 5, "delta_ms": 50},)),),
        busy=True,
        streams=True,
    ),
    Column(
        "foreground",
        "Bash in the foreground",
        (
            Prompt(
                "SC:bash /bin/sleep 3001", ("3001",), _run({"seconds": "3001", "clean_up": True}, takes_ms=FOREVER_MS)
            ),
        ),
        busy=True,
    ),
    Column(
        "background",
        "Bash in the background (`&`, nohup, run_in_background)",
        (
            Prompt(
                f"SC:bash /bin/sleep 3002 {QUIET} & nohup sleep 3003 {QUIET} &",
                ("3002", "3003"),
                _run({"seconds": "3002"}, {"seconds": "3003", "ignore_signals": True}),
            ),
            Prompt("SC:bashbg /bin/sleep 3004", ("3004",), _run({"seconds": "3004", "clean_up": True})),
        ),
        works=True,
    ),
    Column(
        "setsid",
        "`setsid`",
        (
            Prompt(
                f"SC:bash setsid sleep 3005 {QUIET} & setsid -w sleep 3006",
                ("3005", "3006"),
                _run({"seconds": "3005", "setsid": True}, {"seconds": "3006", "setsid": True}, takes_ms=FOREVER_MS),
            ),
        ),
        busy=True,
    ),
    Column(
        "double-fork",
        "double fork",
        (
            Prompt(
                f"SC:bash (setsid sh -c 'sleep 3007 & sleep 3008 &' {QUIET} &); echo away",
                ("3007", "3008"),
                _run(
                    {"seconds": "3007", "setsid": True, "double_fork": True},
                    {"seconds": "3008", "setsid": True, "double_fork": True, "hold_stdout": True},
                ),
            ),
        ),
    ),
    Column(
        "trap",
        "a tool that traps signals",
        (
            Prompt(
                "SC:bash trap '' INT TERM HUP QUIT; sleep 3009 & sleep 3010",
                ("3009", "3010"),
                _run(
                    {"seconds": "3009", "ignore_signals": True},
                    {"seconds": "3010", "ignore_signals": True},
                    takes_ms=FOREVER_MS,
                ),
            ),
        ),
        busy=True,
    ),
    Column("mcp", "an MCP server with a child", mcp=True),
)
TWENTY = Column(
    "twenty",
    "twenty sessions at once",
    # The first is idle and stays the one that has been idle for longest.
    each=("idle", *[SINGLE[n % len(SINGLE)].name for n in range(1, 20)]),
)
COLUMNS = {column.name: column for column in (*SINGLE, TWENTY)}


def sessions_of(column: Column) -> list[Column]:
    """What each session of the cell does."""
    return [COLUMNS[name] for name in column.each] or [column]


def scenario(column: Column, *, deaf: bool) -> Json:
    """The mock's scenario for one session of this column."""
    cases: list[Json] = [{"prompt": "^SC:hello", "turn": [{"text": "Hello."}]}]
    cases += [{"prompt": f"^{prompt.text.split()[0]}\\b", "turn": list(prompt.mock)} for prompt in column.prompts]
    cases.append({"prompt": "^SC:echo", "turn": [{"text": "first: SC:hello"}]})
    steps: list[Json] = [{"ignore_sigterm": True}, {"ignore_sigint": True}] if deaf else []
    if column.mcp:
        options = {"seconds": int(MCP_SECONDS), "setsid": True, "ignore_signals": True}
        steps.append({"grandchild": options})
    policies = {"interrupt": "ignore"} if deaf else {}
    return {"settings": {"delta_ms": 0}, "on": policies, "steps": [*steps, {"forever": [{"case": cases}]}]}

"""Reads a Messages API request: which directive the user gave last, and how far its scenario has come.

Owns the knowledge of how the CLI wraps a prompt. Pure: no socket, no clock. Only this package imports it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The CLI puts its own remarks around the user's words in these tags (measured with claude 2.1.197 and 2.1.329).
_REMARK = re.compile(
    r"<(system-reminder|task-notification|command-name|command-message|command-args|local-command-stdout|local-command-caveat)>"
    r".*?</\1>",
    re.DOTALL,
)
# Texts of the CLI's own making in the user's name; by most of them it makes the model go on (measured with claude
# 2.1.197 and 2.1.329).
_NUDGES = (
    "[Image: source:",
    "[Request interrupted by user",
    "[Your previous response had no visible output",
    "[structured-output-enforce]",
    "Output token limit hit.",
    "Stop hook feedback:",
    "Your response above was cut off mid-stream.",
    "Your response above was stopped by a safety classifier",
)
_DIRECTIVE = re.compile(r"SC:([a-z][a-z0-9_]*)(?:[ \t]+([^\n]*))?")
_OPTION = re.compile(r"(?:^|\s)([a-z_]+)=([^\s=]+)(?=\s|$)")
_PLAN_FILE = re.compile(r"(/[^\s`'\"]+\.md)")


@dataclass(frozen=True)
class Directive:
    """One `SC:<name> <args>` of a prompt; `args` reaches to the end of its line."""

    name: str
    args: str = ""

    def options(self) -> dict[str, str]:
        """The `key=value` words among the arguments."""
        return dict(_OPTION.findall(self.args))

    def words(self) -> list[str]:
        """The arguments without the `key=value` words."""
        return _OPTION.sub(" ", self.args).split()

    def number(self, position: int, default: int) -> int:
        """The word at `position` as a number, or `default`. Raises ValueError if it is no number."""
        words = self.words()
        return int(words[position]) if position < len(words) else default

    def option(self, key: str, default: int) -> int:
        """The value of `key=` as a number, or `default`. Raises ValueError if it is no number."""
        return int(self.options().get(key, default))


@dataclass(frozen=True)
class Conversation:
    """What a scenario may know of a request."""

    directive: Directive | None
    rounds: int
    """How many assistant messages with tool calls followed the prompt: the step the scenario is at."""
    results: tuple[Mapping[str, Any], ...]
    """The tool results that followed the prompt, oldest first."""
    prompts: tuple[str, ...]
    """All that the user said so far, oldest first, without the CLI's remarks."""
    plan_file: str | None
    """The plan file that the CLI's plan mode told the model to write, if it did."""
    notified: bool
    """The CLI, not the user, started this turn: a background task has news. There is no directive then."""
    key: str
    """The same for every request (also a retried one) of one prompt of one session."""

    @property
    def side_gates(self) -> tuple[str, ...]:
        """The gates that a side call of this conversation waits at: `side_gate=NAME` in any prompt before it."""
        named = [_OPTION.findall(prompt) for prompt in self.prompts]
        return tuple(value for options in named for key, value in options if key == "side_gate")

    @property
    def result_text(self) -> str:
        """The text of the newest tool result; empty where there is none."""
        return flat_text(self.results[-1].get("content")) if self.results else ""


def blocks_of(content: object) -> list[Mapping[str, Any]]:
    """Message content as a list of blocks; a bare string becomes one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, Sequence):
        return [block for block in content if isinstance(block, Mapping)]
    return []


def flat_text(content: object) -> str:
    """All text blocks of a message's content, joined by newlines."""
    return "\n".join(str(block.get("text", "")) for block in blocks_of(content) if block.get("type") == "text")


def spoken(message: Mapping[str, Any]) -> list[str]:
    """The texts of a user message that are the user's own.

    Beside tool results only those with a directive: after a turn that was cut short, the CLI puts the next prompt into
    the message that holds the last results, and so it does with remarks of its own (measured with claude 2.1.197 and
    2.1.329).
    """
    if message.get("role") != "user":
        return []
    blocks = blocks_of(message.get("content"))
    beside_results = any(block.get("type") == "tool_result" for block in blocks)
    texts = (_REMARK.sub("", str(block.get("text", ""))).strip() for block in blocks if block.get("type") == "text")
    return [
        text
        for text in texts
        if text and not text.startswith(_NUDGES) and (not beside_results or _DIRECTIVE.search(text))
    ]


def _is_news(message: Mapping[str, Any]) -> bool:
    """Whether the message tells of a background task: bare in 2.1.197, within a system reminder in 2.1.329."""
    blocks = blocks_of(message.get("content"))
    if message.get("role") != "user" or any(block.get("type") == "tool_result" for block in blocks):
        return False
    return "<task-notification>" in flat_text(blocks)


def find_directive(texts: Iterable[str]) -> Directive | None:
    """The directive of the newest text; of its lines the last counts, because the CLI joins prompts."""
    for line in reversed((list(texts) or [""])[-1].splitlines()):
        found = _DIRECTIVE.search(line)
        if found:
            return Directive(found[1], (found[2] or "").strip())
    return None


def read_conversation(body: Mapping[str, Any]) -> Conversation:
    """Everything a scenario may know of the request `body`."""
    messages = [message for message in body.get("messages", []) if isinstance(message, Mapping)]
    prompts: list[str] = []
    results: list[Mapping[str, Any]] = []
    rounds, notified = 0, False
    for message in messages:
        said = spoken(message)
        if said:
            prompts += said
            rounds, results, notified = 0, [], False
            continue
        if _is_news(message):
            rounds, results, notified = 0, [], True
            continue
        kinds = [block.get("type") for block in blocks_of(message.get("content"))]
        rounds += message.get("role") == "assistant" and "tool_use" in kinds
        results += [block for block in blocks_of(message.get("content")) if block.get("type") == "tool_result"]
    metadata = body.get("metadata")
    who = metadata.get("user_id", "") if isinstance(metadata, Mapping) else ""
    return Conversation(
        directive=None if notified else find_directive(prompts),
        rounds=rounds,
        results=tuple(results),
        prompts=tuple(prompts),
        plan_file=_plan_file(messages),
        notified=notified,
        key=f"{who} {len(prompts)} {prompts[-1:]}",
    )


def _plan_file(messages: Sequence[Mapping[str, Any]]) -> str | None:
    for message in reversed(messages):
        text = json.dumps(message.get("content"), ensure_ascii=False).replace("\\n", "\n")
        at = text.find("plan file")
        found = _PLAN_FILE.search(text, at) if at >= 0 else None
        if found:
            return found[1]
    return None


def side_answer(body: Mapping[str, Any]) -> str | None:
    """What the model says when the CLI asks for something of its own (a title, a summary); None if it does not.

    A title is asked for without tools and with an output format; a compaction by its last message (measured with claude
    2.1.197 and 2.1.329).
    """
    output = body.get("output_config")
    if not body.get("tools") and isinstance(output, Mapping) and "format" in output:
        return '{"title": "A title"}'
    messages = body.get("messages") or [{}]
    if "followed by a <summary> block" in flat_text(messages[-1].get("content")):
        return "<analysis>Looked back.</analysis>\n<summary>A summary of the conversation.</summary>"
    return None

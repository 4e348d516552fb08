"""A transcript of Claude Code told again: its lines become the same events as when they were said.

`HistoryReader` is fed the lines of one conversation in order and gives events with the ids of their turns. Messages and
tool calls go through the codec that reads a live CLI, so that both say the same; what only a transcript has (prompts,
the marks of interrupts, commands and compaction) is read here. There are no deltas, and no costs or times: these are
not written down. Pure. Measured with claude 2.1.197 and 2.1.329.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from protocol import jsontext
from protocol.codecs.claude import ClaudeCodec
from protocol.events import (
    Event,
    Message,
    Notice,
    Raw,
    ToolCallInput,
    ToolCallOutput,
    ToolCallStarted,
    TurnCompleted,
    TurnOrigin,
    TurnStarted,
)
from protocol.signals import TurnEnded
from protocol.turnrecord import NO_OUTPUT
from protocol.wire.claude import usage_fields

if TYPE_CHECKING:
    from collections.abc import Callable

Told = list[tuple[str | None, Event]]

INTERRUPTED = "[Request interrupted by user"
NOTHING_ASKED = "No response requested."
"""What the CLI writes in the agent's name after a prompt that was cut off."""

_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
_TAG = re.compile(r"<([a-z-]+)>(.*?)</\1>", re.DOTALL)
_OUTPUT_TAGS = ("local-command-stdout", "local-command-stderr", "bash-stdout", "bash-stderr")


class HistoryReader:
    """The state of one conversation that is told again."""

    def __init__(self) -> None:
        self._codec = ClaudeCodec()
        self._turn: str | None = None
        self._open: dict[str, str | None] = {}
        """Tool calls without an output, each with its agent."""
        self._interrupted = False
        self._unanswered = False
        """Whether the agent has said nothing since it was given a prompt or a tool's output: a turn that ends so was
        cut short."""
        self._failed: dict[str, Any] | None = None
        self._text: str | None = None
        self._stop_reason: str | None = None
        self._usage: dict[str, dict[str, int]] = {}
        self._readers: dict[str, Callable[[dict[str, Any], str | None, Told], None]] = {
            "user": self._read_user,
            "assistant": self._read_assistant,
            "system": self._read_system,
            "attachment": self._read_attachment,
        }

    def receive(self, line: bytes, agent: str | None = None) -> Told:
        """Translate one line of the conversation; `agent` is the tool call that started the subagent whose line it is.
        Never raises: what cannot be read becomes `raw`."""
        out: Told = []
        try:
            value = jsontext.loads(line)
            reader = self._readers.get(value["type"])
            if reader is not None:
                reader(value, agent, out)
        except (ValueError, LookupError, TypeError, AttributeError):
            out.append((self._turn, Raw(content=line.decode("utf-8", "replace"))))
        return out

    def close(self, *, running: bool = False) -> Told:
        """The end of the last turn; nothing where it is `running` still."""
        out: Told = []
        if not running:
            self._end_turn(out, last=True)
        return out

    # One reader per type of line

    def _read_user(self, line: dict[str, Any], agent: str | None, out: Told) -> None:
        blocks = _blocks(line["message"]["content"])
        results = [block for block in blocks if block.get("type") == "tool_result"]
        if results:
            self._tell_results(line, results, agent, out)
        others = [block for block in blocks if block.get("type") != "tool_result"]
        if agent is None and others and not line.get("isMeta") and not line.get("isCompactSummary"):
            self._read_said(line, others, out)

    def _read_said(self, line: dict[str, Any], blocks: list[dict[str, Any]], out: Told) -> None:
        """What stands in the user's name: a prompt, or one of the CLI's marks."""
        text, origin = _text_of(blocks), line.get("origin")
        tags = dict(_TAG.findall(text)) if text.lstrip().startswith("<") else {}
        if text.startswith(INTERRUPTED):
            self._interrupted = True
        elif "task-notification" in tags or (isinstance(origin, dict) and origin.get("kind") == "task-notification"):
            self._begin_turn(line["uuid"], "background", out)
            summary = dict(_TAG.findall(tags.get("task-notification", ""))).get("summary")
            if summary:
                self._tell(Notice(level="info", message=f"Background task: {summary}"), out)
        elif "command-name" in tags:
            command = f"{tags['command-name']} {tags.get('command-args', '')}".strip()
            self._tell_prompt(line["uuid"], [{"type": "text", "text": command}], out)
        elif "bash-input" in tags:
            self._tell_prompt(line["uuid"], [{"type": "text", "text": f"!{tags['bash-input']}"}], out)
        elif any(tag in tags for tag in _OUTPUT_TAGS):
            said = "\n".join(tags[tag].strip() for tag in _OUTPUT_TAGS if tags.get(tag, "").strip())
            if said:
                self._tell(Notice(level="info", message=said), out)
        else:
            shown = _without_reminders(blocks)
            if shown:
                self._tell_prompt(line["uuid"], shown, out)
                self._unanswered = True

    def _read_assistant(self, line: dict[str, Any], agent: str | None, out: Told) -> None:
        message = line["message"]
        blocks = _blocks(message["content"])
        if message.get("model") == "<synthetic>" and _text_of(blocks) == NOTHING_ASKED:
            return
        failed = bool(line.get("isApiErrorMessage"))
        said = {"type": "assistant", "message": message, "parent_tool_use_id": agent}
        if failed:
            said["error"] = line.get("error") or "unknown"
        self._ensure_turn(line, out)
        self._tell_all(said, out)
        if agent is None:
            self._unanswered = False
            self._failed = line if failed else None
            self._text = _text_of(blocks) or self._text
            self._stop_reason = message.get("stop_reason") or self._stop_reason
            self._usage[str(message.get("id"))] = usage_fields(message.get("usage"))

    def _read_system(self, line: dict[str, Any], agent: str | None, out: Told) -> None:
        subtype, content = line.get("subtype"), line.get("content")
        if subtype == "compact_boundary":
            about = line.get("compactMetadata")
            about = about if isinstance(about, dict) else {}
            told = {"pre_tokens": about.get("preTokens"), "post_tokens": about.get("postTokens")}
            told["trigger"] = about.get("trigger", "auto")
            self._tell_all({"type": "system", "subtype": subtype, "compact_metadata": told}, out)
        elif subtype == "local_command" and isinstance(content, str):
            tags = dict(_TAG.findall(content))
            if "command-name" in tags:
                command = f"{tags['command-name']} {tags.get('command-args', '')}".strip()
                self._tell_prompt(line["uuid"], [{"type": "text", "text": command}], out)
                return
            said = "\n".join(tags[tag].strip() for tag in _OUTPUT_TAGS if tags.get(tag, "").strip())
            if said:
                self._ensure_turn(line, out)
                self._text = said
                self._tell(Message(role="assistant", content=[{"type": "text", "text": said}]), out)

    def _read_attachment(self, line: dict[str, Any], agent: str | None, out: Told) -> None:
        """A prompt that reached a running turn stands in an attachment."""
        about = line.get("attachment")
        if agent is not None or not isinstance(about, dict) or about.get("type") != "queued_command":
            return
        if about.get("commandMode") == "task-notification" or about.get("isMeta") or about.get("prompt") is None:
            return
        shown = _without_reminders(_blocks(about["prompt"]))
        if shown and "<task-notification>" not in _text_of(shown):
            self._tell(Message(role="user", content=shown), out)

    # Turns

    def _tell_prompt(self, id: str, blocks: list[dict[str, Any]], out: Told) -> None:
        self._begin_turn(id, "message", out)
        self._tell(Message(role="user", content=blocks), out)

    def _begin_turn(self, id: str, origin: TurnOrigin, out: Told) -> None:
        self._end_turn(out)
        self._turn = id
        self._tell(TurnStarted(origin=origin), out)

    def _ensure_turn(self, line: dict[str, Any], out: Told) -> None:
        """The agent speaks without having been asked, as far as the transcript tells."""
        if self._turn is None:
            self._begin_turn(line["uuid"], "background", out)

    def _end_turn(self, out: Told, *, last: bool = False) -> None:
        if self._turn is None:
            return
        for id, agent in list(self._open.items()):
            self._unanswered = self._unanswered or agent is None
            if agent is None or last:  # a subagent may go on in the background, and its outputs are still to come
                self._tell(ToolCallOutput(tool_call_id=id, is_error=True, content=NO_OUTPUT), out)
        completed = self._completed()
        self._tell(completed, out)
        self._turn, self._interrupted, self._unanswered = None, False, False
        self._failed, self._text, self._stop_reason = None, None, None
        self._usage.clear()

    def _completed(self) -> TurnCompleted:
        """The codec judges a turn's end as it does live, by the `result` that the CLI would have written."""
        sums: dict[str, int] = {}
        for usage in self._usage.values():
            for name, count in usage.items():
                sums[name] = sums.get(name, 0) + count
        failed = self._failed or {}
        cut_short = self._interrupted or self._unanswered
        result = {
            "type": "result",
            "is_error": self._failed is not None,
            "terminal_reason": "aborted" if cut_short else None,
            "stop_reason": self._stop_reason,
            "result": None if cut_short else self._text,
            "api_error_status": failed.get("apiErrorStatus"),
            "usage": sums,
        }
        self._codec.results.usage_sent = True
        ended = next(item for item in self._codec.receive(jsontext.dumps(result)) if isinstance(item, TurnEnded))
        return TurnCompleted(
            stop_reason=ended.stop_reason,  # type: ignore[arg-type]
            is_error=ended.error is not None,
            result=ended.result,
            error=ended.error,
            usage=ended.usage,
        )

    # Telling

    def _tell_results(self, line: dict[str, Any], results: list[dict[str, Any]], agent: str | None, out: Told) -> None:
        said: dict[str, Any] = {"type": "user", "message": {"role": "user", "content": results}}
        said |= {"parent_tool_use_id": agent, "tool_use_result": line.get("toolUseResult")}
        self._ensure_turn(line, out)
        self._tell_all(said, out)
        self._unanswered = self._unanswered or agent is None

    def _tell_all(self, line: dict[str, Any], out: Told) -> None:
        for item in self._codec.receive(jsontext.dumps(line)):
            if isinstance(item, Event):
                self._tell(item, out)

    def _tell(self, event: Event, out: Told) -> None:
        if isinstance(event, ToolCallStarted):
            self._open[event.tool_call_id] = event.parent_tool_call_id
        elif isinstance(event, ToolCallOutput):
            self._open.pop(event.tool_call_id, None)
        out.append((self._turn, event))


def begins_turn(line: bytes) -> bool:
    """Whether a line of the conversation begins a turn."""
    told = HistoryReader().receive(line)
    return any(isinstance(event, TurnStarted) for _, event in told) and not any(
        isinstance(event, ToolCallInput | ToolCallOutput) or (isinstance(event, Message) and event.role == "assistant")
        for _, event in told
    )


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block if isinstance(block, dict) else {"type": "text", "text": str(block)} for block in content]


def _text_of(blocks: list[dict[str, Any]]) -> str:
    return "".join(block["text"] for block in blocks if isinstance(block.get("text"), str))


def _without_reminders(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the user wrote, without the remarks that the CLI puts around it."""
    shown = []
    for block in blocks:
        text = block.get("text")
        if not isinstance(text, str):
            shown.append(block)
        elif (left := _REMINDER.sub("", text) if "<system-reminder>" in text else text).strip():
            shown.append({**block, "text": left})
    return shown

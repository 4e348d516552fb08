"""Where a line of Claude Code becomes events: `ClaudeCodec.receive(line)`.

Consumes one stdout line without its line end. Returns events and signals in the CLI's order; never raises: what
cannot be read becomes `Raw`. Bytes that the CLI has to be told at once (refusals of control requests that nobody
here knows, answers that need nobody) pile up in `control.take_replies`. One codec per CLI process. No clock, no I/O.

    stream_event            here: deltas (the hot path), tool starts, usage
    assistant, user         here: whole blocks, tool inputs and outputs
    system/…                claude_system.py; what is about tasks, claude_tasks.py
    result                  claude_result.py; whose turn it ends: claude_turns.py
    control_…               claude_control.py; the daemon's own hook: claude_guard.py
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import ValidationError

from protocol import jsontext
from protocol.codecs.claude_changes import read_changes
from protocol.codecs.claude_control import ControlChannel
from protocol.codecs.claude_guard import (
    FLAGS_ID,
    GUARD_ID,
    SETTINGS_ID,
    WATCH_ID,
    PlanGuard,
    blocked,
    changed_file,
    flags,
    verdict,
)
from protocol.codecs.claude_plan import PlanTracker
from protocol.codecs.claude_result import ResultReader
from protocol.codecs.claude_system import SystemReader
from protocol.codecs.claude_tasks import TaskTable
from protocol.codecs.claude_tools import PREFIX
from protocol.codecs.claude_turns import TurnOwner
from protocol.events import (
    Message,
    Notice,
    PermissionResolved,
    RateLimit,
    Raw,
    TextDelta,
    ThinkingDelta,
    ToolCallInput,
    ToolCallOutput,
    ToolCallProgress,
    ToolCallStarted,
    Usage,
)
from protocol.fitting import fits
from protocol.signals import MessageBegan, PermissionAsked, ProviderEvent
from protocol.trust import SETTINGS_CHANGED
from protocol.wire.claude import SILENT_TYPES, STREAM_EVENTS, decode_line, tool_kind, usage_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protocol.hooks import HookSubscription
    from protocol.tools import ParentTool

Out = list[ProviderEvent]


class ClaudeCodec:
    """The state of one conversation with one CLI process.

    Args:
        tools: the parent's own.
        hooks: what the parent has subscribed to.
    """

    def __init__(self, tools: Sequence[ParentTool] = (), hooks: Sequence[HookSubscription] = ()) -> None:
        self.system = SystemReader()
        self.guard = PlanGuard(PREFIX + tool.name for tool in tools if tool.read_only)
        self.control = ControlChannel(tools, hooks, forbids=self.guard.denies)
        self.results = ResultReader()
        self.tasks = TaskTable()
        self.turns = TurnOwner()
        self._plan = PlanTracker()
        self._started_tools: dict[str, str | None] = {}
        """The tool calls whose start has been told, each with the agent's that made it."""
        self._call_usage: dict[str, int] = {}
        self._readers: dict[str, Callable[[dict[str, Any], Out], None]] = {
            "stream_event": self._read_stream_event,
            "assistant": self._read_assistant,
            "user": self._read_user,
            "system": self._read_system,
            "result": self._read_result,
            "control_request": self._read_control_request,
            "control_response": self._read_control_response,
            "control_cancel_request": self._read_control_cancel,
            "rate_limit_event": self._read_rate_limit,
            "tool_progress": self._read_tool_progress,
            "command_lifecycle": self._read_lifecycle,
            "conversation_reset": self._read_conversation_reset,
        }

    # Towards the CLI

    def prompt(self, message_id: str, content: Any, *, now: bool = False) -> bytes:
        """The line that gives the CLI a message: text or content blocks. The turn that follows is that message's.

        `priority: later` keeps the CLI from folding the message into a turn that it has just begun by itself, `now`
        has it end that turn at once (measured with claude 2.1.197 and 2.1.329).
        """
        self.turns.expect(message_id)
        line = {
            "type": "user",
            "message": {"role": "user", "content": content},
            "parent_tool_use_id": None,
            "session_id": "",
            "uuid": message_id,
            "priority": "now" if now else "later",
        }
        return jsontext.dumps(line) + b"\n"

    def follow_mode(self) -> None:
        """Guard the plan mode while the CLI is in it."""
        if self.guard.follow(self.system.known.get("runtime_mode")):
            self.control.tell(FLAGS_ID, "apply_flag_settings", settings=flags(planning=self.guard.active))
            if self.guard.active:
                self.control.tell(SETTINGS_ID, "get_settings")

    # From the CLI

    def receive(self, line: bytes) -> Out:
        """Translate one line."""
        try:
            head = decode_line(line)
        except (ValidationError, ValueError):
            return self._receive_other(line)
        event = head.event
        is_delta = event is not None and head.type == "stream_event" and event.type == "content_block_delta"
        if event is not None and is_delta and not self.turns.is_due:
            delta = event.delta
            if delta is not None and delta.type == "text_delta":
                return [TextDelta(text=delta.text, parent_tool_call_id=head.parent_tool_use_id)]
            if delta is not None and delta.type == "thinking_delta":
                return [ThinkingDelta(text=delta.thinking, parent_tool_call_id=head.parent_tool_use_id)]
            return []
        return self._receive_other(line)

    def _receive_other(self, line: bytes) -> Out:
        if not line.lstrip().startswith(b"{"):  # a program that floods us with anything else costs others little time
            return [_raw(line)]
        out: Out = []
        understood = True
        try:
            value = jsontext.loads(line)
            kind = value["type"]
            reader = self._readers.get(kind)
            if reader is not None:
                reader(value, out)
            else:
                understood = kind in SILENT_TYPES
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            understood = False
        fit = [item for item in out if fits(item)]
        return fit if understood and len(fit) == len(out) else [*fit, _raw(line)]

    # One reader per type of line. A shape that they do not expect raises, and the line goes out as `raw`.

    def _read_stream_event(self, line: dict[str, Any], out: Out) -> None:
        event, parent = line["event"], line.get("parent_tool_use_id")
        kind = event["type"]
        self.turns.begin_by_content(parent, out)
        if kind == "content_block_start":
            block = event["content_block"]
            if block.get("type") == "tool_use":
                self._start_tool(block["id"], block["name"], parent, out)
        elif kind == "message_start" and parent is None:
            out.append(MessageBegan())
            self._call_usage = usage_fields(event["message"].get("usage"))
        elif kind == "message_delta" and parent is None:
            self._call_usage |= usage_fields(event.get("usage"))
            out.append(Usage(**self._call_usage, **self.results.context_window()))
            self.results.usage_sent = True
        elif kind == "content_block_delta":
            _read_delta(event["delta"], parent, out)
        elif kind not in STREAM_EVENTS:
            raise LookupError(kind)

    def _read_assistant(self, line: dict[str, Any], out: Out) -> None:
        message, parent = line["message"], line.get("parent_tool_use_id")
        blocks = _blocks(message["content"])
        self.turns.begin_by_content(parent, out)
        if line.get("error"):
            # The CLI's own text about a failed API call. The turn's `error` repeats it; it is not the agent's answer.
            self.results.note_failure(str(line["error"]))
            out.append(Notice(level="error", message=_text_of(blocks)))
            return
        for block in blocks:
            if block.get("type") == "tool_use":
                self._start_tool(block["id"], block["name"], parent, out)
                out.append(ToolCallInput(tool_call_id=block["id"], input=block["input"]))
                self._plan.note_input(block, out)
        out.append(Message(role="assistant", content=blocks, parent_tool_call_id=parent))

    def _read_user(self, line: dict[str, Any], out: Out) -> None:
        blocks = _blocks(line["message"]["content"])
        others = []
        for block in blocks:
            if block.get("type") == "tool_result":
                self._finish_tool(block, line.get("tool_use_result"), out)
            else:
                others.append(block)
        if not others:
            return
        if line.get("isReplay"):
            out.append(Notice(level="info", message=_without_tags(_text_of(others))))
        else:
            out.append(Message(role="user", content=others, parent_tool_call_id=line.get("parent_tool_use_id")))

    def _read_system(self, line: dict[str, Any], out: Out) -> None:
        subtype = line.get("subtype")
        if subtype == "init":
            self.turns.begin(out)
        elif subtype == "task_started":
            self.system.note_agent(line)
        elif subtype == "task_notification":
            self.turns.note_news(line)
        if self.tasks.reads(subtype):
            self.tasks.read(line, out)
        else:
            self.system.read(line, out)
            self.follow_mode()

    def _read_result(self, line: dict[str, Any], out: Out) -> None:
        if self.turns.goes_on(line, out):
            self.results.begin()
            return
        self.turns.end(line, out)
        ended = self.results.read(line, out)
        # The calls of agents in the background go on.
        self._started_tools = {id: parent for id, parent in self._started_tools.items() if parent is not None}
        out.append(ended)

    def _read_control_request(self, line: dict[str, Any], out: Out) -> None:
        if line["request"].get("callback_id") == GUARD_ID:
            self._consult_guard(line, out)
            return
        if line["request"].get("callback_id") == WATCH_ID:
            self._consult_watch(line, out)
            return
        asked = self.control.receive_request(line)
        if asked is None:
            return
        if isinstance(asked, PermissionAsked) and asked.tool_call_id != asked.request_id:
            # A subagent's question can come before the line that tells of its tool call.
            agent = self.system.agent_call(line["request"].get("agent_id"))
            self.turns.begin_by_content(line["request"].get("agent_id"), out)
            self._start_tool(asked.tool_call_id, asked.tool_name, agent, out)
        out.append(asked)

    def _consult_watch(self, line: dict[str, Any], out: Out) -> None:
        path = changed_file(line["request"].get("input"))
        if path is None:
            self.control.reply(line["request_id"], {})
            return
        self.control.reply(line["request_id"], blocked(SETTINGS_CHANGED))
        out.append(Notice(level="warning", message=f"{path} has changed. {SETTINGS_CHANGED}"))

    def _consult_guard(self, line: dict[str, Any], out: Out) -> None:
        call, given = line["request"].get("tool_use_id"), line["request"].get("input")
        denied = self.guard.denies(given)
        self.control.reply(line["request_id"], verdict(denied=denied))
        if denied and isinstance(call, str) and isinstance(given, dict):
            self._start_tool(call, str(given.get("tool_name")), self.system.agent_call(given.get("agent_id")), out)
            out.append(PermissionResolved(tool_call_id=call, outcome="deny", by="mode"))

    def _read_control_response(self, line: dict[str, Any], out: Out) -> None:
        response = line["response"]
        if response["request_id"] == SETTINGS_ID:
            self.guard.learn(response.get("response"))
        elif response["request_id"] != FLAGS_ID:
            self.control.receive_response(line)

    def _read_control_cancel(self, line: dict[str, Any], out: Out) -> None:
        if (withdrawn := self.control.withdraw(line["request_id"])) is not None:
            out.append(withdrawn)

    def _read_rate_limit(self, line: dict[str, Any], out: Out) -> None:
        info = line["rate_limit_info"]
        out.append(
            RateLimit(status=info["status"], limit_type=info.get("rateLimitType"), resets_at=info.get("resetsAt"))
        )

    def _read_tool_progress(self, line: dict[str, Any], out: Out) -> None:
        # The line's own tool_use_id is a heartbeat's; the call it is about is the parent (claude 2.1.329).
        call = line.get("parent_tool_use_id") or line["tool_use_id"]
        out.append(ToolCallProgress(tool_call_id=call, elapsed_ms=int(line["elapsed_time_seconds"] * 1000)))

    def _read_lifecycle(self, line: dict[str, Any], out: Out) -> None:
        self.turns.note_lifecycle(line)

    def _read_conversation_reset(self, line: dict[str, Any], out: Out) -> None:
        self.system.learn({"provider_session_id": line["new_conversation_id"]}, out)
        out.append(Notice(level="info", message="The conversation was cleared; a new one begins."))

    # Tools

    def _start_tool(self, id: str, name: str, parent: str | None, out: Out) -> None:
        if id in self._started_tools:
            return
        self._started_tools[id] = parent
        self.control.tools.note_started(id, name)
        out.append(ToolCallStarted(tool_call_id=id, name=name, kind=tool_kind(name), parent_tool_call_id=parent))  # type: ignore[arg-type]

    def _finish_tool(self, block: dict[str, Any], detail: Any, out: Out) -> None:
        id = block["tool_use_id"]
        content = block.get("content")
        out.append(
            ToolCallOutput(
                tool_call_id=id,
                is_error=bool(block.get("is_error")),
                content="" if content is None else content,
                changes=read_changes(detail),
            )
        )
        if self._started_tools.get(id) is not None:
            del self._started_tools[id]
        self.tasks.note_output(id, detail, is_error=bool(block.get("is_error")), out=out)
        self._plan.note_output(id, detail, out)


def _read_delta(delta: dict[str, Any], parent: str | None, out: Out) -> None:
    """A delta that the hot path could not decode: half an emoji, invalid UTF-8, or a shape that is new to us."""
    if delta["type"] == "text_delta":
        out.append(TextDelta(text=delta["text"], parent_tool_call_id=parent))
    elif delta["type"] == "thinking_delta":
        out.append(ThinkingDelta(text=delta["thinking"], parent_tool_call_id=parent))


def _raw(line: bytes) -> Raw:
    return Raw(content=line.decode("utf-8", "replace"))


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block if isinstance(block, dict) else {"type": "text", "text": str(block)} for block in content]


def _without_tags(text: str) -> str:
    """`<local-command-stdout>Set model to X</local-command-stdout>` without its wrapping."""
    return re.sub(r"</?local-command-\w+>", "", text).strip()


def _text_of(blocks: list[dict[str, Any]]) -> str:
    return "".join(block["text"] for block in blocks if isinstance(block.get("text"), str))

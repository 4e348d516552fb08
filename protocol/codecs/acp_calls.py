"""The tool calls of one session as updates of the Agent Client Protocol. Pure; used by `acp.py`.

Never gives an update about a call that has not been announced, announces none twice, and ends each of them, whether or
not its output ever comes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from protocol.codecs import acp_tools
from protocol.turnrecord import NO_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protocol.events import (
        FileChange,
        Message,
        PermissionResolved,
        Tasks,
        ToolCallInput,
        ToolCallOutput,
        ToolCallProgress,
        ToolCallStarted,
    )
    from protocol.wire.acp import Client

Json = dict[str, Any]

ENDED_KEPT: Final = 256
"""Ended tool calls that are remembered, for output that comes late, of work that went on in the background."""

HEAD_LIMIT: Final = 200
"""Characters by which the output of a call is known again in what was shown of it live."""

NOTES_LIMIT: Final = 16 * 1024
"""Characters of a subagent's text that are shown while it works: the newest. Its report comes as its output."""


_EXIT_CODE: Final = re.compile(r"Exit code (\d{1,3})\b")
"""How the output of a command that failed begins (claude 2.1.197 and 2.1.329)."""


@dataclass(slots=True)
class _Call:
    """A tool call that the client knows of, or will know of when there is something to show."""

    name: str
    kind: str
    parent: str | None
    announced: bool = False
    in_terminal: bool = False
    is_running: bool = False
    streamed: int = 0
    """Characters of output that its terminal has shown."""
    head: str = ""
    """The first of them."""
    input: Any = None
    content: list[Json] = field(default_factory=list)
    notes: str = ""


class CallWriter:
    """The updates about one session's tool calls.

    Args:
        client: what the client can show.
        cwd: the session's working folder, against which titles are shortened.
        read_file: gives the text of a file, as it is before a call overwrites it; None where it cannot be had.
    """

    def __init__(self, client: Client, cwd: str, read_file: Callable[[str], str | None]) -> None:
        self._client = client
        self._cwd = cwd
        self._read_file = read_file
        self._calls: dict[str, _Call] = {}
        self._ended: OrderedDict[str, _Call] = OrderedDict()
        self._late: dict[str, _Call] = {}
        """Calls of agents in the background, which outlive the turn that they began in."""
        self.agents: dict[str, str | None] = {}
        """The agents that work in the background, by the ids of their tasks, with the calls that started them."""

    def close(self) -> list[Json]:
        """The updates that end the calls of which nothing more is expected."""
        left, self._late = self._late, {}
        return [update for id, call in left.items() for update in self._ending(id, call, NO_OUTPUT, is_error=True)]

    def announce(self, id: str, name: str, kind: str, given: Json) -> list[Json]:
        """The updates after which the client knows this call: nothing may refer to one that it does not know."""
        call = self._open(id)
        if call is None:
            call = self._calls[id] = _Call(name, acp_tools.tool_kind(name, kind), None)
        return [] if call.announced else [self._announcement(id, call), *self._input_update(id, call, given)]

    def describe(self, id: str, given: Json) -> Json:
        """A call as the `toolCall` of a permission request; it has been announced."""
        call = self._calls.get(id) or self._late[id]
        return {
            "toolCallId": id,
            "name": call.name,
            "status": "pending",
            "kind": call.kind,
            "title": acp_tools.title(call.name, call.kind, given, self._cwd),
            "rawInput": given,
            "content": self._shown_input(id, call, given),
            "locations": acp_tools.locations(given),
        }

    def _open(self, id: str) -> _Call | None:
        """A call that has not ended; that of an agent in the background may be asked for after its turn."""
        return self._calls.get(id) or self._late.get(id)

    # What events say of them

    def write_started(self, event: ToolCallStarted) -> list[Json]:
        known = self._late.pop(event.tool_call_id, None) or self._calls.get(event.tool_call_id)
        if known is not None and known.announced:
            # A call of an agent in the background, which begins again where it is asked for after its turn.
            self._calls[event.tool_call_id] = known
            return []
        call = _Call(event.name, acp_tools.tool_kind(event.name, event.kind), event.parent_tool_call_id)
        self._calls[event.tool_call_id] = call
        self._ended.pop(event.tool_call_id, None)
        return [] if event.name in acp_tools.PLANNING_TOOLS else [self._announcement(event.tool_call_id, call)]

    def _announcement(self, id: str, call: _Call) -> Json:
        call.announced = True
        about: Json = {"toolName": call.name}
        if call.parent is not None:
            about["parentToolUseId"] = call.parent
        meta: Json = {"tool_name": call.name, "claudeCode": about}
        update: Json = {
            "sessionUpdate": "tool_call",
            "toolCallId": id,
            "title": acp_tools.first_title(call.name),
            "name": call.name,
            "kind": call.kind,
            "status": "pending",
            "rawInput": {},
        }
        if call.kind == "execute" and self._client.terminal_output:
            call.in_terminal = True
            meta["terminal_info"] = {"terminal_id": id, "cwd": self._cwd}
            update["content"] = [{"type": "terminal", "terminalId": id}]
        return update | {"_meta": meta}

    def write_input(self, event: ToolCallInput) -> list[Json]:
        call = self._calls.get(event.tool_call_id)
        if call is None:
            return []
        if not call.announced:
            call.input = event.input
            return []
        return self._input_update(event.tool_call_id, call, event.input)

    def _input_update(self, id: str, call: _Call, given: Any) -> list[Json]:
        call.input = given
        call.content = self._shown_input(id, call, given)
        update = _update(
            id,
            title=acp_tools.title(call.name, call.kind, given, self._cwd),
            status="in_progress" if call.is_running else "pending",  # it may be about to be asked for
            rawInput=given,
            locations=acp_tools.locations(given),
        )
        if call.content and not call.in_terminal:
            update["content"] = call.content
        return [update]

    def _shown_input(self, id: str, call: _Call, given: Any) -> list[Json]:
        if call.in_terminal:
            return [{"type": "terminal", "terminalId": id}]
        return acp_tools.input_content(call.name, call.kind, given, self._read_file)

    def write_progress(self, event: ToolCallProgress) -> list[Json]:
        id = event.tool_call_id
        if event.is_error is not UNSET:
            # The real output of a call whose output was made up at the end of its turn.
            late = self._late.pop(id, None) or self._calls.pop(id, None) or self._ended.get(id)
            return [] if late is None else self._ending(id, late, event.content, is_error=event.is_error)
        call = self._calls.get(id) or self._late.get(id) or self._ended.get(id)
        text = acp_tools.text_of(event.content) if event.content is not UNSET else ""
        if call is None or not call.announced:
            return []
        begins = not call.is_running and id not in self._ended
        call.is_running = True
        if not text:
            return [_update(id, status="in_progress")] if begins else []
        return [self._live_output(id, call, text, {} if id in self._ended else {"status": "in_progress"})]

    def _live_output(self, id: str, call: _Call, text: str, status: Json) -> Json:
        """More of what a command writes, or what an agent is doing."""
        if call.in_terminal:
            call.head = call.head or text[:HEAD_LIMIT]
            call.streamed += len(text)
            return _update(id, **status, _meta={"terminal_output": {"terminal_id": id, "data": text}})
        if call.kind == "execute":
            call.notes = (call.notes + text)[-NOTES_LIMIT:]
            return _update(id, **status, content=[acp_tools.text_content(acp_tools.fenced(call.notes, "console"))])
        return _update(id, **status, content=[*call.content, acp_tools.text_content(text)])

    def write_resolved(self, event: PermissionResolved) -> list[Json]:
        call = self._open(event.tool_call_id)
        if call is None or not call.announced or event.outcome != "allow":
            return []
        call.is_running = True
        return [_update(event.tool_call_id, status="in_progress")]

    def write_output(self, event: ToolCallOutput) -> list[Json]:
        id = event.tool_call_id
        call = self._calls.pop(id, None) or self._late.pop(id, None)
        if call is None:
            return []
        made_up = event.is_error and event.content == NO_OUTPUT and call.parent is not None and bool(self.agents)
        if made_up or (id in self.agents.values() and not event.is_error):
            # It goes on beside the turn, and what the CLI says of an agent's launch is for the model alone.
            self._late[id] = call
            return []
        updates: list[Json] = []
        if not call.announced:
            if not event.is_error:
                return []
            updates = [self._announcement(id, call), *self._input_update(id, call, call.input or {})]
        output = acp_tools.LAUNCHED if acp_tools.is_launch(call.kind, event.content) else event.content
        changes = [] if event.changes is UNSET else event.changes
        return [*updates, *self._ending(id, call, output, is_error=event.is_error, changes=changes)]

    def _ending(
        self, id: str, call: _Call, output: Any, *, is_error: bool, changes: Sequence[FileChange] = ()
    ) -> list[Json]:
        self._ended[id] = call
        while len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)
        update = _update(id, status="failed" if is_error else "completed", rawOutput=output)
        if call.in_terminal:
            return [
                *self._last_output(id, call, output),
                update | {"_meta": _terminal_exit(id, output, is_error=is_error)},
            ]
        if changes:
            update["content"] = acp_tools.change_content(changes)
            update["locations"] = acp_tools.change_locations(changes)
        elif call.kind != "edit" or is_error:
            content = acp_tools.output_content(call.kind, output, is_error=is_error)
            update |= {"content": content} if content else {}
        return [update]

    def _last_output(self, id: str, call: _Call, output: Any) -> list[Json]:
        """What its terminal has not shown of it."""
        text = acp_tools.text_of(output)
        if call.streamed:
            begin = text.find(call.head)
            text = text[begin + call.streamed :] if begin >= 0 else ""
        return [_update(id, _meta={"terminal_output": {"terminal_id": id, "data": text}})] if text else []

    def write_tasks(self, event: Tasks) -> list[Json]:
        """An agent in the background is what its call is about, and ends it."""
        agents = [task for task in event.tasks if task.kind == "agent" and task.background]
        self.agents = {task.task_id: task.tool_call_id for task in agents if task.status == "running"}
        updates: list[Json] = []
        for task in agents:
            call = self._late.pop(task.tool_call_id or "", None) if task.status != "running" else None
            if call is not None:
                said = call.notes or task.description
                updates += self._ending(task.tool_call_id or "", call, said, is_error=task.status != "completed")
        return updates

    def note(self, event: Message) -> list[Json]:
        id = event.parent_tool_call_id or ""
        call = self._calls.get(id) or self._late.get(id)
        text = acp_tools.text_of(
            [block for block in event.content if isinstance(block, dict) and block.get("type") == "text"]
        )
        if call is None or not call.announced or not text:
            return []
        call.notes = f"{call.notes}\n\n{text}".strip()[-NOTES_LIMIT:]
        return [_update(id, content=[acp_tools.text_content(call.notes)])]


def _terminal_exit(id: str, output: Any, *, is_error: bool) -> Json:
    """The CLI tells the code of a failed command in the first line of its output; else 1 stands for any failure."""
    told = _EXIT_CODE.match(acp_tools.text_of(output)) if is_error else None
    code = int(told[1]) if told is not None else int(is_error)
    return {"terminal_exit": {"terminal_id": id, "exit_code": code, "signal": None}}


def _update(id: str, **fields: Any) -> Json:
    return {"sessionUpdate": "tool_call_update", "toolCallId": id, **fields}

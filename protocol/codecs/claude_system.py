"""Claude Code's `system` lines: what the session is (`init`, `status`), and what happens beside the answer.

Also keeps what is known of the session, so that only news goes out as `session_updated`. Pure. Shapes measured with
claude 2.1.197 and 2.1.329; a subtype that is not in the table goes out as `raw`, by way of a `LookupError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import convert

from protocol.codecs.claude_mcp import read_elicitation_complete, tell_failures
from protocol.events import Compaction, Notice, NoticeLevel, PermissionResolved, Retry, SessionUpdated
from protocol.signals import Compacting, ProviderEvent
from protocol.wire.claude import RUNTIME_MODE_OF, SILENT_SUBTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

Out = list[ProviderEvent]


class SystemReader:
    """What the CLI has told of its session so far, and the reader of its `system` lines."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        """The fields of `session_started` that are known, under our names."""
        self._agents: dict[str, str] = {}
        self._readers: dict[str, Callable[[dict[str, Any], Out], None]] = {
            "init": self._read_init,
            "status": self._read_status,
            "api_retry": _read_api_retry,
            "compact_boundary": _read_compact_boundary,
            "model_fallback": self._read_model_fallback,
            "permission_denied": _read_permission_denied,
            "hook_response": _read_hook_response,
            "hook_progress": _read_hook_response,
            "notification": _notice("info", "text"),
            "informational": _notice("info", "content"),
            "model_refusal_no_fallback": _notice("warning", "content", "The model refused to answer."),
            "model_refusal_fallback": _notice("warning", "content", "The model refused; another one takes over."),
            "session_title_changed": _read_title,
            "control_request_progress": _notice("debug", "status", "The CLI works on a control request."),
            "commands_changed": self._read_commands_changed,
            "local_command_output": _notice("info", "content"),
            "elicitation_complete": read_elicitation_complete,
        }

    def read(self, line: dict[str, Any], out: Out) -> None:
        """Translate one `system` line.

        Raises:
            LookupError: a subtype that is not known here.
        """
        subtype = line["subtype"]
        if subtype not in SILENT_SUBTYPES:
            self._readers[subtype](line, out)

    def note_agent(self, line: dict[str, Any]) -> None:
        """A `task_started`: whose tool call an agent is."""
        task, call = line.get("task_id"), line.get("tool_use_id")
        if isinstance(task, str) and isinstance(call, str):
            self._agents[task] = call

    def agent_call(self, agent_id: Any) -> str | None:
        """The tool call that started an agent, where the CLI has told: an agent's id is its task's (claude 2.1.x)."""
        return self._agents.get(agent_id) if isinstance(agent_id, str) else None

    def learn(self, fields: dict[str, Any], out: Out) -> None:
        """Remember these fields; tell those that are new or changed.

        Raises:
            ValueError: one of them is of a type that the contract does not know; none is remembered then.
        """
        news = {name: value for name, value in fields.items() if self.known.get(name) != value}
        if news:
            out.append(convert(news, SessionUpdated))
            self.known |= news

    def _read_init(self, line: dict[str, Any], out: Out) -> None:
        names = {
            "session_id": "provider_session_id",
            "model": "model",
            "cwd": "working_dir",
            "tools": "tools",
            "slash_commands": "slash_commands",
            "mcp_servers": "mcp_servers",
            "claude_code_version": "cli_version",
            "apiKeySource": "api_key_source",
        }
        fields = {ours: line[theirs] for theirs, ours in names.items() if theirs in line}
        out += tell_failures(self.known.get("mcp_servers"), fields.get("mcp_servers"))
        self.learn(fields | _runtime_mode(line.get("permissionMode")), out)

    def _read_status(self, line: dict[str, Any], out: Out) -> None:
        self.learn(_runtime_mode(line.get("permissionMode")), out)
        status = line.get("status")
        if status == "compacting":
            told = Notice(
                level="info", message="The context is being compacted.", compaction=Compaction(status="started")
            )
            out += [Compacting(active=True), told]
        elif status != "requesting":
            out.append(Compacting(active=False))
            if line.get("compact_result") == "failed":
                out.append(
                    Notice(
                        level="warning",
                        message=f"Compaction failed: {line.get('compact_error') or 'no reason given'}",
                        compaction=Compaction(status="failed"),
                    )
                )

    def _read_model_fallback(self, line: dict[str, Any], out: Out) -> None:
        out.append(Notice(level="warning", message=line["content"]))
        if line.get("fallback_model"):
            self.learn({"model": line["fallback_model"]}, out)

    def _read_commands_changed(self, line: dict[str, Any], out: Out) -> None:
        commands = line.get("commands") or line.get("slash_commands") or []
        names = [command["name"] if isinstance(command, dict) else command for command in commands]
        self.learn({"slash_commands": names}, out)


def _runtime_mode(theirs: str | None) -> dict[str, str]:
    """A permission mode that the contract has no word for (`dontAsk`, `auto`) keeps the CLI's."""
    return {} if theirs is None else {"runtime_mode": RUNTIME_MODE_OF.get(theirs, theirs)}


def _notice(level: NoticeLevel, field: str, otherwise: str = "") -> Callable[[dict[str, Any], Out], None]:
    def read(line: dict[str, Any], out: Out) -> None:
        text = line.get(field)
        out.append(
            Notice(level=level, message=text if isinstance(text, str) and text else otherwise or line["subtype"])
        )

    return read


def _read_api_retry(line: dict[str, Any], out: Out) -> None:
    status = line.get("error_status")
    what = f"error {status}" if status else "no connection"
    seconds = float(line["retry_delay_ms"]) / 1000
    when = f"retry {line['attempt']} of {line['max_retries']} in {seconds:.1f} s"
    text = f"The model API answered with {what} ({line['error']}); {when}."
    retry = Retry(
        attempt=line["attempt"],
        max_attempts=line["max_retries"],
        delay_ms=round(line["retry_delay_ms"]),
        status=status if type(status) is int else None,
    )
    out.append(Notice(level="warning", message=text, retry=retry))


def _read_title(line: dict[str, Any], out: Out) -> None:
    out.append(Notice(level="info", message=line["title"], title=line["title"]))


def _read_compact_boundary(line: dict[str, Any], out: Out) -> None:
    about = line.get("compact_metadata") or {}
    before, after = about.get("pre_tokens"), about.get("post_tokens")
    sizes = f" from {before} to {after} tokens" if before and after else ""
    done = Compaction(
        status="completed", trigger=about.get("trigger"), pre_tokens=_tokens(before), post_tokens=_tokens(after)
    )
    text = f"The context was compacted{sizes} ({about.get('trigger', 'auto')})."
    out += [Compacting(active=False), Notice(level="info", message=text, compaction=done)]


def _tokens(told: Any) -> int | None:
    return told if type(told) is int else None


def _read_permission_denied(line: dict[str, Any], out: Out) -> None:
    out.append(PermissionResolved(tool_call_id=line["tool_use_id"], outcome="deny", by="mode"))
    out.append(
        Notice(
            level="warning",
            message=f"{line['tool_name']} was denied: {line.get('message') or 'by the permission mode'}",
        )
    )


def _read_hook_response(line: dict[str, Any], out: Out) -> None:
    failed = line.get("exit_code") not in (0, None)
    said = (line.get("stderr") or line.get("output") or "").strip()
    out.append(
        Notice(
            level="warning" if failed else "debug",
            message=f"Hook {line['hook_name']} {line.get('outcome', 'ran')}. {said}".strip(),
        )
    )

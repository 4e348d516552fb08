"""Takes a request for a turn in hand: which conversation it belongs to, whether it has been asked before, and what
answers it.

A client's library repeats a request that seems lost, and says so; an agent that is asked twice would run its tools
twice. So a repeated request gets the answer that is being made, or was made, for the first one.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, TypeVar

from adapter.faces.http.conversations import id_of
from adapter.faces.http.job import Job
from adapter.faces.http.renderings import ID_PREFIXES
from adapter.faces.http.repeats import Repeats
from adapter.faces.http.reply import Reply, Told
from protocol.history import chain
from protocol.httperrors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter.config_http import HttpSettings
    from adapter.faces.http.conversation import Conversation
    from adapter.faces.http.conversations import Conversations
    from adapter.guard import GuardedTasks
    from protocol.turnrequest import TurnRequest

SESSION_HEADERS = ("x-agent-adapter-session", "x-arch-claude-cli-session")
"""Ours, and that of Plano's claude-cli bridge."""

Chosen = TypeVar("Chosen", bound=str)

CLI_HEADER = "x-claude-code-session-id"
"""The session of a Claude Code that asks (measured with claude 2.1.197 and 2.1.329)."""

HISTORY_HEADER = "x-agent-adapter-history"
VISIBILITY_HEADER = "x-agent-adapter-tools"
GONE_HEADER = "x-agent-adapter-when-gone"
STRICT_HEADER = "x-agent-adapter-strict"


class Desk:
    """Where requests for turns come in.

    Args:
        conversations: all of them.
        settings: the daemon's.
        tasks: where turns run, whether or not their client stays.
    """

    def __init__(self, conversations: Conversations, settings: HttpSettings, tasks: GuardedTasks) -> None:
        self._conversations = conversations
        self._settings = settings
        self._tasks = tasks
        self._repeats = Repeats()

    async def take(self, request: TurnRequest, headers: Mapping[str, str], body: bytes) -> Reply:
        """The reply to a request; its turn is on its way.

        Raises:
            HttpError: why there is none.
        """
        _check_headers(request, headers)
        self._check_loop(headers)
        digests = chain(request.messages)
        if request.previous is None and _named(headers) is None:
            await self._conversations.wait_left(digests, request.user)
        # From here to the note of it nothing waits, or a request that came twice would be asked twice.
        known = await self._repeats.find(headers, body)
        if known is not None:
            return known
        results = {block["tool_use_id"]: block for block in request.last.content if block["type"] == "tool_result"}
        waiting = self._conversations.waiting_for(set(results), request.user) if results else None
        if waiting is not None and waiting.job is not None:
            reply = self._resume(waiting, waiting.job, request, digests)
        else:
            reply = self._begin(request, digests, headers)
        reply.keeps_on = (
            _choice(headers, GONE_HEADER, ("interrupt", "continue"), self._settings.when_gone) == "continue"
        )
        self._repeats.note(headers, body, reply)
        return reply

    def _check_loop(self, headers: Mapping[str, str]) -> None:
        """A CLI of ours that asks us for its model would make us start a CLI, which asks us, and so on. Its settings
        can lead it here, whatever its environment says."""
        asking = headers.get(CLI_HEADER)
        for each in self._conversations.all() if asking else []:
            if each.session is not None and each.session.provider_session_id == asking:
                raise invalid(
                    "this server has started the CLI that asks: set its ANTHROPIC_BASE_URL to a model's server"
                )

    def _begin(self, request: TurnRequest, digests: list[bytes], headers: Mapping[str, str]) -> Reply:
        append = headers.get(HISTORY_HEADER) == "append" or request.previous is not None
        if request.previous is not None:
            conversation = self._conversations.after(request.previous, request.user)
        else:
            conversation = self._conversations.choose(request, digests, _named(headers))
        conversation.enter()
        reply = _reply(request, conversation)
        visibility = _choice(headers, VISIBILITY_HEADER, ("hidden", "text", "blocks"), self._settings.visibility)
        job = Job(request, digests, reply, visibility)
        self._tasks.start_soon(conversation.run, job, request, digests, append)
        return reply

    def _resume(self, conversation: Conversation, job: Job, request: TurnRequest, digests: list[bytes]) -> Reply:
        """Go on with a turn that waits for the client's tools."""
        results = {block["tool_use_id"]: block for block in request.last.content if block["type"] == "tool_result"}
        missing = sorted(job.asked - results.keys())
        if missing:
            raise invalid(f"the results of these tool calls are missing: {', '.join(missing)}", "messages")
        texts = [block["text"] for block in request.last.content if block["type"] == "text"]
        if texts:
            # The turn has no other way to be told something in its middle.
            last = results[max(results)]
            given = last["content"]
            blocks = [{"type": "text", "text": given}] if isinstance(given, str) else given
            said = "\n".join(["The user adds:", *texts])
            results[last["tool_use_id"]] = {**last, "content": [*blocks, {"type": "text", "text": said}]}
        reply = _reply(request, conversation)
        reply.told.history = "tool_results"
        reply.told.model = conversation.model or request.model_name
        reply.delivered = True
        job.resume(digests, reply, results)
        return reply


def _reply(request: TurnRequest, conversation: Conversation) -> Reply:
    return Reply(ID_PREFIXES[request.api] + uuid.uuid4().hex, Told(conversation.id, "new", request.model_name))


def _named(headers: Mapping[str, str]) -> str | None:
    """The conversation that a header names."""
    for name in SESSION_HEADERS:
        if value := headers.get(name, "").strip():
            return id_of(value)
    return None


def _choice(headers: Mapping[str, str], name: str, allowed: tuple[Chosen, ...], default: Chosen) -> Chosen:
    value = headers.get(name)
    if value is None:
        return default
    for each in allowed:
        if value == each:
            return each
    raise invalid(f"must be one of {', '.join(allowed)}", name)


def _check_headers(request: TurnRequest, headers: Mapping[str, str]) -> None:
    is_strict = _choice(headers, STRICT_HEADER, ("true", "false"), "false") == "true"
    if is_strict and (odd := set(request.ignored) - {"max_tokens"}):
        raise invalid(f"these members change nothing here: {', '.join(sorted(odd))}")
    if headers.get(HISTORY_HEADER, "append") != "append":
        raise invalid("must be append", HISTORY_HEADER)

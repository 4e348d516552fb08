"""What of a request decides how its session's process is started, and what can be changed while it runs.

Owns the mapping from a request to a session's config. Refuses to know when it is used; the conversation does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from adapter.providers.base import SessionConfig
from protocol.httperrors import invalid

if TYPE_CHECKING:
    from adapter.config_http import HttpSettings
    from protocol.turnrequest import TurnRequest

_VOLATILE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}:\d\d(:\d\d)?([.,]\d+)?|\b(1[6-9]|2\d)\d{8}(\d{3})?\b")
"""Dates, times and time stamps: many clients write them into their system prompt, and a process is not started anew for
each minute that passes. The CLI tells its model the date by itself."""


TAKES_NEW_SETUP = (2, 1, 197)
"""Up to here a conversation that is resumed runs with the system prompt and the tools that its new process is started
with. Claude 2.1.329 writes both into the transcript and goes on with them, whatever it is started with (measured; the
versions between were not)."""


def takes_new_setup(cli_version: str | None) -> bool:
    """Whether this CLI, as its session tells its version, can resume a conversation with another setup."""
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", cli_version or "")
    return numbers is not None and tuple(map(int, numbers.groups())) <= TAKES_NEW_SETUP


@dataclass(frozen=True, slots=True)
class Setup:
    """What a process is started with.

    Attributes:
        system: added to the CLI's own system prompt.
        tools: those that the client runs.
        output_schema: what the answers have to fit.
    """

    system: str | None
    tools: tuple[tuple[str, str, str], ...]
    output_schema: dict[str, Any] | None

    @classmethod
    def of(cls, request: TurnRequest) -> Setup:
        """The setup that a request needs."""
        tools = sorted((tool.name, tool.description, repr(tool.input_schema)) for tool in request.tools)
        return cls(request.system, tuple(tools), request.output_schema)

    def serves(self, other: Setup) -> bool:
        """Whether a process that was started with this can serve a request that needs the other."""
        same_system = _VOLATILE.sub("", self.system or "") == _VOLATILE.sub("", other.system or "")
        return same_system and (self.tools, self.output_schema) == (other.tools, other.output_schema)


def build_config(request: TurnRequest, settings: HttpSettings, working_dir: str, **more: Any) -> SessionConfig:
    """The config of a session for a request.

    Args:
        request: the first that it will serve.
        settings: the daemon's.
        working_dir: where the agent works.
        more: `resume`, `resume_at`, `fork`.

    Raises:
        HttpError: 400, where the request has a value that no session can have.
    """
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
        for tool in request.tools
    ]
    config: dict[str, Any] = {
        "working_dir": working_dir,
        "model": request.model,
        "runtime_mode": settings.runtime_mode,
        "trust": settings.trust,
        "append_system_prompt": request.system,
        "allowed_tools": settings.allowed_tools or None,
        "output_schema": request.output_schema,
        "effort": request.effort,
        **({"tools": tools} if tools else {}),
        **more,
    }
    try:
        return SessionConfig.model_validate({name: value for name, value in config.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(first["msg"], ".".join(map(str, first["loc"]))) from None

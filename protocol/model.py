"""What the models of the native face are made of: params, results, and the description of a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

if TYPE_CHECKING:
    from protocol.errors import ErrorKind

ProviderName = Annotated[str, Field(min_length=1, description="The provider's name, as in `initialize`'s `providers`.")]
SessionId = Annotated[str, Field(min_length=1, description="The daemon's id of the session.")]
Text = Annotated[str, StringConstraints(min_length=1)]


class Params(BaseModel):
    """Params are objects; an unknown member is an error, so that a misspelt option is never silently ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


class Result(BaseModel):
    """What a method answers."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class NoParams(Params):
    """A method without params."""


class Empty(Result):
    """Done; there is nothing to tell."""


class SessionParams(Params):
    """Which session."""

    session_id: SessionId


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the native face: what it takes, what it answers, and the errors it can answer with besides
    -326xx."""

    params: type[Params]
    result: type[Result]
    summary: str
    errors: tuple[ErrorKind, ...] = ()


@dataclass(frozen=True, slots=True)
class ParentMethod:
    """One request of the daemon's to the parent: what it tells, and what the parent answers."""

    params: type[Result]
    answer: type[Params]
    summary: str

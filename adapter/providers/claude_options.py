"""Whether Claude Code can honour a session's config: what it cannot is refused by name before anything is started."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapter.providers.base import ProviderError
from adapter.providers.claude_handshake import PROVIDER
from protocol.codecs.claude_flags import find_reserved
from protocol.codecs.claude_schema import FORMATS_SINCE, SchemaUnfit, fit_schema
from protocol.codecs.claude_version import OLDEST, Version, missing_option, show
from protocol.errors import ErrorKind, invalid_param

if TYPE_CHECKING:
    from adapter.providers.base import Launch

MAX_SETTINGS = 4 * 1024 * 1024
"""Bytes of a settings file; real ones have a few thousand."""

UPDATE_HINT = "Update it: `claude update`, or `npm install -g @anthropic-ai/claude-code`."


def fit_options(launch: Launch, version: Version | None) -> Launch:
    """The launch as this CLI takes it; raises for the first option that cannot be honoured.

    Args:
        launch: what is to be started.
        version: the CLI's, as far as it is known.

    Raises:
        AdapterError: `unsupported`, with the option's name; `spawn_failed` for a CLI that is too old for all of this;
            `invalid_params` for settings that cannot be read.
    """
    reserved = find_reserved(launch.config.extra_args)
    if reserved is not None:
        raise unsupported("extra_args", f"{reserved[0]!r} cannot be passed to the CLI.", hint=reserved[1])
    if version is not None:
        _check_version(launch, version)
    changed: dict[str, Any] = {}
    if launch.config.output_schema is not None:
        changed["output_schema"] = _fit_schema(launch.config.output_schema, version)
    if isinstance(launch.config.settings, str):
        changed["settings"] = _read_settings(launch.config.settings)
    return replace(launch, config=launch.config.model_copy(update=changed)) if changed else launch


def _check_version(launch: Launch, version: Version) -> None:
    if version < OLDEST:
        text = f"Claude Code {show(version)} is too old: {show(OLDEST)} is the oldest that can be driven."
        raise ProviderError(PROVIDER, ErrorKind.SPAWN_FAILED, text, hint=UPDATE_HINT)
    missing = missing_option(launch.config, version, fork=launch.fork)
    if missing is not None:
        text = f"Claude Code {show(version)} does not have it; {show(missing[1])} does."
        raise unsupported(missing[0], text, hint=UPDATE_HINT)


def _fit_schema(schema: dict[str, Any], version: Version | None) -> dict[str, Any]:
    try:
        return fit_schema(schema, formats=version is not None and version >= FORMATS_SINCE)
    except SchemaUnfit as error:
        hint = "The CLI takes JSON Schema draft 7, and passes over a schema with anything else in it."
        raise unsupported("output_schema", str(error), hint=hint) from error


def _read_settings(path: str) -> dict[str, Any]:
    """The file is read here and not by the CLI, which would read it again whenever settings change."""
    try:
        with open(path, "rb") as file:
            settings = json.loads(file.read(MAX_SETTINGS + 1))
    except (OSError, ValueError) as error:
        raise invalid_param("config.settings", f"{path}: {error}") from error
    if not isinstance(settings, dict):
        raise invalid_param("config.settings", f"{path}: must hold a JSON object")
    return settings


def unsupported(option: str, text: str, *, hint: str | None = None) -> ProviderError:
    """The error that names an option."""
    return ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, f"{option}: {text}", hint=hint, option=option)

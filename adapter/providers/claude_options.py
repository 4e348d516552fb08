"""Whether Claude Code can honour a session's config: what it cannot is refused by name before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter.providers.base import ProviderError
from adapter.providers.claude_handshake import PROVIDER
from protocol.codecs.claude_flags import find_reserved
from protocol.codecs.claude_version import OLDEST, Version, missing_option, show
from protocol.errors import ErrorKind

if TYPE_CHECKING:
    from adapter.providers.base import Launch

UPDATE_HINT = "Update it: `claude update`, or `npm install -g @anthropic-ai/claude-code`."


def check_options(launch: Launch, version: Version | None) -> None:
    """Raise for the first option that cannot be honoured.

    Args:
        launch: what is to be started.
        version: the CLI's, as far as it is known.

    Raises:
        AdapterError: `unsupported`, with the option's name; `spawn_failed` for a CLI that is too old for all of this.
    """
    reserved = find_reserved(launch.config.extra_args)
    if reserved is not None:
        raise unsupported("extra_args", f"{reserved[0]!r} cannot be passed to the CLI.", hint=reserved[1])
    if version is None:
        return
    if version < OLDEST:
        text = f"Claude Code {show(version)} is too old: {show(OLDEST)} is the oldest that can be driven."
        raise ProviderError(PROVIDER, ErrorKind.SPAWN_FAILED, text, hint=UPDATE_HINT)
    missing = missing_option(launch.config, version, fork=launch.fork)
    if missing is not None:
        text = f"Claude Code {show(version)} does not have it; {show(missing[1])} does."
        raise unsupported(missing[0], text, hint=UPDATE_HINT)


def unsupported(option: str, text: str, *, hint: str | None = None) -> ProviderError:
    """The error that names an option."""
    return ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, f"{option}: {text}", hint=hint, option=option)

"""Whether Claude Code can honour a session's config: what it cannot is refused by name before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter.providers.base import ProviderError
from protocol.codecs.claude_flags import find_reserved
from protocol.errors import ErrorKind

if TYPE_CHECKING:
    from protocol.session_config import SessionConfig

PROVIDER = "claude"


def check_options(config: SessionConfig) -> None:
    """Raise for the first option that cannot be honoured.

    Raises:
        AdapterError: `unsupported`, with the option's name.
    """
    reserved = find_reserved(config.extra_args)
    if reserved is not None:
        raise unsupported("extra_args", f"{reserved[0]!r} cannot be passed to the CLI.", hint=reserved[1])


def unsupported(option: str, text: str, *, hint: str | None = None) -> ProviderError:
    """The error that names an option."""
    return ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, f"{option}: {text}", hint=hint, option=option)

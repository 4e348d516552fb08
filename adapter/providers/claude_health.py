"""A look at the Claude CLI from outside of any session: its version, and whether somebody is logged in.

For the provider `claude` only. A version is asked for once per file: it is kept until the file changes.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import anyio

from adapter.providers import probe
from adapter.providers.base import ProviderError, ProviderHealth
from adapter.providers.claude_handshake import PROVIDER
from protocol.codecs.claude_version import AUTH_STATUS, find_version, parse_version, show
from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from adapter.process.host import ProcessHost

WRONG_CLI_HINT = "Run it by hand: if it is not Claude Code, correct claude_path; if it fails there, too, reinstall it."
"""For a program that does not answer as Claude Code does."""

_File = tuple[str, int, int]


class ClaudeHealth:
    """What is known of the installed CLIs.

    Args:
        host: runs them.
    """

    def __init__(self, host: ProcessHost) -> None:
        self._host = host
        self._versions: dict[_File, str | None] = {}
        self._asking = anyio.Lock()

    def known_version(self, path: str) -> str | None:
        """The version of the CLI at `path`, where it was asked for before. Starts nothing."""
        file = _identify(path)
        return None if file is None else self._versions.get(file)

    async def find_version(self, path: str) -> str | None:
        """The version, asked for where need be; None where it cannot be told. Those who ask at once share an answer."""
        async with self._asking:
            file = _identify(path)
            if file in self._versions:
                return self._versions[file]
            try:
                return self._keep(path, await probe.ask(self._host, [path, "--version"]))
            except AdapterError:
                return None

    async def look(self, path: str, *, asks_login: bool) -> ProviderHealth:
        """`--version`, and `auth status`, which asks no network (measured with claude 2.1.x). Never raises."""
        try:
            async with self._asking:
                answer = await probe.ask(self._host, [path, "--version"])
                version = self._keep(path, answer)
            if version is None:
                return _unusable(f"{path} --version {answer}", path, WRONG_CLI_HINT)
            status: dict[str, Any] = {}
            numbers = parse_version(version)
            if asks_login and (numbers is None or numbers >= AUTH_STATUS):
                status = _read_status(await probe.ask(self._host, [path, "auth", "status"]))
        except AdapterError as error:
            return _unusable(error.message, path, error.hint or WRONG_CLI_HINT)
        logged_in = status.get("loggedIn")
        return ProviderHealth(
            PROVIDER,
            True,
            version=version,
            authenticated=logged_in if isinstance(logged_in, bool) else None,
            cli_path=path,
            billing=_billing(status),
        )

    async def log_out(self, path: str) -> None:
        """`claude auth logout` (measured with claude 2.1.197 and 2.1.329: exit code 0, also where nobody was logged
        in).

        Raises:
            AdapterError: `unsupported` where the CLI cannot.
        """
        version = parse_version(await self.find_version(path))
        if version is not None and version < AUTH_STATUS:
            raise ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, f"Claude Code {show(version)} has no `auth logout`.")
        answer = await probe.ask(self._host, [path, "auth", "logout"])
        if answer.code != 0:
            raise ProviderError(PROVIDER, ErrorKind.UNSUPPORTED, f"`auth logout` {answer}")

    def _keep(self, path: str, answer: probe.Answer) -> str | None:
        version = find_version(answer.output) if answer.code == 0 else None
        file = _identify(path)
        if file is not None:
            self._versions[file] = version
        return version


def _identify(path: str) -> _File | None:
    """An update writes another file, or makes a link lead to one."""
    try:
        target = os.path.realpath(path)
        status = os.stat(target)
    except OSError:
        return None
    return target, status.st_mtime_ns, status.st_size


def _unusable(why: str, path: str, hint: str) -> ProviderHealth:
    return ProviderHealth(PROVIDER, False, error=why, cli_path=path, hint=hint)


def _read_status(answer: probe.Answer) -> dict[str, Any]:
    """A JSON object with `loggedIn`; exit code 1 where that is false."""
    try:
        status = json.loads(answer.output)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _billing(status: dict[str, Any]) -> str | None:
    """`api_key (ANTHROPIC_API_KEY)`, `oauth_token`, …; None where nobody is logged in."""
    method, source = status.get("authMethod"), status.get("apiKeySource")
    if not isinstance(method, str) or method == "none":
        return None
    return f"{method} ({source})" if isinstance(source, str) else method

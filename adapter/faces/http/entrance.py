"""The entrance: where the HTTP face listens, who may come in, and what the person who started it is told.

Owns the listening socket, and all that can refuse a start: an address that others reach, a token that is none, a risk
that nobody has acknowledged. It is opened before the daemon runs, so that a refusal is a plain error of the command
line. Refuses: to know the endpoints.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.config import ConfigError, state_folder
from adapter.faces.http.gate import Gate, JsonOnly, KnownHost, KnownToken, NoBrowser, is_loopback
from adapter.faces.http.risk import check_risk
from adapter.faces.http.token import check_token, keep_token, read_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp

    from adapter.config_http import HttpSettings
    from adapter.faces.http.gate import Rule

BACKLOG = 128
"""Connections that the system keeps until we take them; Linux' own former limit."""

PROBE_S = 1.0
"""For a look at whether somebody listens on a socket that is already there."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """An open entrance.

    Attributes:
        listener: bound and listening.
        url: what clients take as their base URL.
        token: what they must show; None where the socket's rights are enough.
        settings: the face's.
        notice: lines for the person who started us.
        inode: of the Unix socket, by which we know it for ours.
    """

    listener: socket.socket
    url: str
    token: str | None
    settings: HttpSettings
    notice: list[str]
    inode: int | None = None

    def guard(self, app: ASGIApp) -> ASGIApp:
        """Put an application behind the rules of this entrance."""
        rules: list[Rule] = [NoBrowser()]
        if self.settings.socket is None:
            rules.insert(0, KnownHost([self.settings.host, *self.settings.allowed_hosts]))
        if self.token is not None:
            rules.append(KnownToken(self.token))
        rules.append(JsonOnly())
        return Gate(app, rules, max_body=self.settings.max_body, body_timeout=self.settings.body_timeout)

    def close(self) -> None:
        """Stop listening, and take the Unix socket away where it is still ours. Idempotent."""
        path = self.settings.socket
        if path is not None:
            with contextlib.suppress(OSError):
                if os.stat(path).st_ino == self.inode:
                    os.unlink(path)
        self.listener.close()


def open_entrance(settings: HttpSettings, providers: Sequence[str]) -> Entrance:
    """Check everything, and listen.

    Raises:
        ConfigError: something forbids it; the message says what to do.
    """
    folder = state_folder(settings)
    check_risk(folder, providers, accept=settings.accept_risk)
    _check_working_dir(settings)
    if settings.socket is None:
        _check_exposure(settings)
    token, where = _find_token(settings, folder) if settings.auth else (None, "")
    listener = _listen_on_path(settings.socket) if settings.socket else _listen(settings.host, settings.port)
    url = f"unix:{settings.socket}" if settings.socket else _url(listener)
    inode = os.stat(settings.socket).st_ino if settings.socket else None
    return Entrance(listener, url, token, settings, _notice(url, settings.socket, where), inode)


def _check_working_dir(settings: HttpSettings) -> None:
    try:
        folder = settings.working_dir or os.getcwd()
        folder.encode()
    except OSError:
        raise ConfigError("the folder that this was started in is gone: name another one as working_dir") from None
    except UnicodeEncodeError:
        raise ConfigError(
            "working_dir: a folder whose name is not UTF-8 cannot be told to a CLI: name another one"
        ) from None
    if not (os.path.isabs(folder) and os.path.isdir(folder)):
        raise ConfigError(f"working_dir: {folder}: must be the absolute path of a folder that is there")


def _check_exposure(settings: HttpSettings) -> None:
    if all(is_loopback(address) for address in _addresses(settings.host)):
        return
    if not settings.expose:
        raise ConfigError(
            f"host: other machines can reach {settings.host}. Listen on 127.0.0.1, or on a Unix socket (socket); "
            "or say --expose and give a token of your own."
        )
    if not (settings.token or settings.token_file):
        raise ConfigError("expose: an address that other machines reach needs a token of your own: token or token_file")


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"host: {host}: {error.strerror or error}") from None
    return [str(address[0]) for *_, address in found]


def _find_token(settings: HttpSettings, folder: Path) -> tuple[str, str]:
    """The token, and how a shell gets it."""
    if settings.token:
        return check_token(settings.token, "token"), ""
    path = Path(settings.token_file).expanduser() if settings.token_file else keep_token(folder)
    return read_token(path), f"$(cat {path})"


def _listen(host: str, port: int) -> socket.socket:
    address = _addresses(host)[0]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # The library's own words for an address in use repeat the address.
        in_use = "Address already in use; end what listens there, or choose another --port"
        why = in_use if error.errno == errno.EADDRINUSE else error.strerror or error
        raise ConfigError(f"{host}:{port}: {why}") from None
    # Connections inherit it. asyncio sets it for those alone whose socket names its protocol, which this one does not;
    # without it, all but the first of an answer's pieces wait up to 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _listen_on_path(path: str) -> socket.socket:
    """A socket that only our user may open. One that nobody listens on any more is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        if _is_stale(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        in_use = "already in use; end what listens there, or choose another path"
        why = in_use if error.errno == errno.EADDRINUSE else error.strerror or error
        raise ConfigError(f"socket: {path}: {why}") from None
    finally:
        os.umask(before)
    return listener


def _is_stale(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return False
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _notice(url: str, path: str | None, token: str) -> list[str]:
    """What a person needs to use us. The token itself is never among it."""
    lines = [f"listening on {url}"]
    if path is not None:
        lines.append(f"for example: curl --unix-socket {path} http://localhost/healthz")
    if token:
        lines.append(f'clients show the token as their API key: "{token}"')
    if path is None:
        key = f'"{token}"' if token else "(the token that you have given)"
        lines.append(f"Anthropic's: ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY={key}")
        lines.append(f"OpenAI's: OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key}")
    return lines

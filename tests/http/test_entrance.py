"""What must hold before the HTTP face listens: token, acknowledged risk, an address that nobody else reaches."""

from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from adapter.config import ConfigError
from adapter.config_http import HttpSettings
from adapter.faces.http.entrance import Entrance, open_entrance
from adapter.faces.http.risk import FILE as RISK_FILE
from adapter.faces.http.risk import check_risk
from adapter.faces.http.token import FILE, check_token, keep_token, read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Open = Any
GIVEN = "a-token-of-my-own-0123"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    check_risk(folder, ["claude"], accept=True)
    return folder


@pytest.fixture
def open_one(state: Path) -> Iterator[Callable[..., Entrance]]:
    opened: list[Entrance] = []

    def open_with(**values: Any) -> Entrance:
        opened.append(
            open_entrance(HttpSettings.model_validate({"port": 0, "state_dir": str(state), **values}), ["claude"])
        )
        return opened[-1]

    yield open_with
    for each in opened:
        each.close()


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_sent_goes_out_at_once_however_small_it_is(open_one: Callable[..., Entrance]) -> None:
    listener = open_one().listener
    with socket.create_connection(listener.getsockname()), listener.accept()[0] as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_token_is_made_once_for_its_owner_alone_and_is_not_guessable(tmp_path: Path) -> None:
    path = keep_token(tmp_path / "new" / "state")
    first = read_token(path)
    assert (rights(path), rights(path.parent)) == (0o600, 0o700)
    assert len(first) >= 40
    assert read_token(keep_token(path.parent)) == first
    assert [each.name for each in path.parent.iterdir()] == [FILE]
    assert read_token(keep_token(tmp_path / "other")) != first


def test_a_token_that_others_can_read_is_refused_until_its_rights_are_mended(tmp_path: Path) -> None:
    path = keep_token(tmp_path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}"):
        read_token(path)


@pytest.mark.parametrize("token", ["", "short", "with a space in it, long", "täglich-frischer-token", "a" * 15])
def test_a_token_that_can_be_guessed_or_fits_in_no_header_is_refused(token: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 16"):
        check_token(token, "--token")
    path = tmp_path / "token"
    path.write_text(token)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=str(path)):
        read_token(path)


def test_a_token_that_cannot_be_read_or_written_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        keep_token(tmp_path / "file" / "state")


def test_nothing_starts_before_the_risk_is_acknowledged_and_then_it_is_for_good(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--accept-risk") as refused:
        check_risk(tmp_path, ["claude"], accept=False)
    assert "runs commands" in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    check_risk(tmp_path, ["claude"], accept=True)
    check_risk(tmp_path, ["claude"], accept=False)


def test_a_provider_that_comes_later_is_acknowledged_for_itself(tmp_path: Path) -> None:
    check_risk(tmp_path, ["claude"], accept=True)
    with pytest.raises(ConfigError, match=r"machine \(other\)"):
        check_risk(tmp_path, ["claude", "other"], accept=False)
    check_risk(tmp_path, ["other"], accept=True)
    check_risk(tmp_path, ["claude", "other"], accept=False)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"acknowledged": 1}', "\x00", '{"acknowledged": [["claude"]]}'])
def test_a_damaged_acknowledgement_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / RISK_FILE).write_text(text)
    with pytest.raises(ConfigError, match="--accept-risk"):
        check_risk(tmp_path, ["claude"], accept=False)


def test_the_person_is_told_how_to_use_it_and_never_the_token(open_one: Callable[..., Entrance], state: Path) -> None:
    entrance = open_one()
    assert entrance.token == read_token(state / FILE)
    said = "\n".join(entrance.notice)
    assert entrance.token not in said
    assert f"$(cat {state / FILE})" in said
    assert f"OPENAI_BASE_URL={entrance.url}/v1" in said
    assert GIVEN not in "\n".join(open_one(token=GIVEN).notice)


def test_a_token_of_ones_own_comes_from_the_settings_or_a_file(
    open_one: Callable[..., Entrance], tmp_path: Path
) -> None:
    path = tmp_path / "mine"
    path.write_text(GIVEN + "\n")
    path.chmod(0o600)
    assert open_one(token=GIVEN).token == open_one(token_file=str(path)).token == GIVEN


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_address_that_others_reach_needs_a_flag_and_a_token_of_ones_own(
    open_one: Callable[..., Entrance], host: str
) -> None:
    with pytest.raises(ConfigError, match="other machines can reach"):
        open_one(host=host, token=GIVEN)
    with pytest.raises(ConfigError, match="token of your own"):
        open_one(host=host, expose=True)


def test_with_both_it_listens_there(open_one: Callable[..., Entrance]) -> None:
    assert open_one(host="0.0.0.0", expose=True, token=GIVEN).url.startswith("http://0.0.0.0:")


def test_a_port_that_is_taken_is_named_with_a_way_out(open_one: Callable[..., Entrance]) -> None:
    taken = open_one().listener.getsockname()[1]
    with pytest.raises(ConfigError, match=f"127.0.0.1:{taken}: .*--port"):
        open_one(port=taken)


def test_a_unix_socket_is_for_its_owner_and_goes_with_the_server(
    open_one: Callable[..., Entrance], tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    entrance = open_one(socket=str(path))
    assert rights(path) == 0o600
    with pytest.raises(ConfigError, match="in use"):
        open_one(socket=str(path))
    assert path.exists()
    entrance.close()
    entrance.close()
    assert not path.exists()


def test_a_socket_that_a_dead_server_left_is_replaced_and_no_other_file_is(
    open_one: Callable[..., Entrance], tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert open_one(socket=str(path)).token
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ConfigError, match="socket: "):
        open_one(socket=str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "precious"


def test_a_unix_socket_may_do_without_a_token(open_one: Callable[..., Entrance], tmp_path: Path, state: Path) -> None:
    assert open_one(socket=str(tmp_path / "socket"), auth=False).token is None
    assert not (state / FILE).exists()


@pytest.mark.parametrize("folder", ["relative", "/no/such/folder"])
def test_a_working_folder_that_is_none_is_refused(open_one: Callable[..., Entrance], folder: str) -> None:
    with pytest.raises(ConfigError, match="working_dir"):
        open_one(working_dir=folder)


def test_a_folder_that_is_gone_is_told_before_anything_listens(
    open_one: Callable[..., Entrance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(ConfigError, match="is gone"):
        open_one()

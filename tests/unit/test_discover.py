"""Finding a CLI: the configured one, else by name on PATH, else in the usual places."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from adapter.process import discover
from adapter.process.discover import USUAL_PLACES, find_cli
from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("claude", "claude-code")


@pytest.fixture(autouse=True)
def nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty PATH and home; the usual places outside of the home are those of this machine, so they are left out."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(discover, "USUAL_PLACES", tuple(place for place in USUAL_PLACES if place.startswith("~")))


def program(folder: Path, name: str, mode: int = 0o755) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(mode)
    return str(file)


def find(configured: str | None = None) -> str:
    return find_cli(configured, NAMES, setting="claude_path", install_hint="Install it.")


def test_a_configured_path_is_taken_and_nothing_else_is_tried(tmp_path: Path) -> None:
    program(tmp_path / "path", "claude")
    mine = program(tmp_path / "mine", "my-claude")
    assert find(mine) == mine
    with pytest.raises(AdapterError) as caught:
        find(str(tmp_path / "mine" / "other"))
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert caught.value.hint == "Correct claude_path. Install it."
    assert str(tmp_path / "mine" / "other") in caught.value.message


def test_a_configured_name_is_looked_up_and_a_home_is_expanded(tmp_path: Path) -> None:
    on_path = program(tmp_path / "path", "my-claude")
    at_home = program(tmp_path / "home" / "bin", "claude")
    assert find("my-claude") == on_path
    assert find("~/bin/claude") == at_home


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = program(tmp_path / "mine", "my-claude")
    monkeypatch.chdir(tmp_path)
    assert find(os.path.join("mine", "my-claude")) == mine


def test_the_first_name_is_preferred_wherever_it_is(tmp_path: Path) -> None:
    second = program(tmp_path / "path", "claude-code")
    assert find() == second
    first = program(tmp_path / "home" / ".local" / "bin", "claude")
    assert find() == first
    on_path = program(tmp_path / "path", "claude")
    assert find() == on_path


@pytest.mark.parametrize("place", [place for place in USUAL_PLACES if place.startswith("~")])
def test_the_usual_places_are_looked_at(tmp_path: Path, place: str) -> None:
    installed = program(tmp_path / "home" / place.removeprefix("~/"), "claude")
    assert find() == installed


def test_a_file_that_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    dead = program(tmp_path / "path", "claude", mode=0o644)
    for configured, said in ((None, "not installed"), (dead, "not executable"), (str(tmp_path), "is a folder")):
        with pytest.raises(AdapterError, match=said):
            find(configured)


def test_a_missing_cli_says_what_was_looked_for_and_how_to_install_it() -> None:
    with pytest.raises(AdapterError) as caught:
        find()
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert "claude or claude-code is not installed" in caught.value.message
    assert caught.value.hint == "Install it. Or set claude_path."


def test_an_empty_setting_counts_as_none(tmp_path: Path) -> None:
    on_path = program(tmp_path / "path", "claude")
    assert find("") == on_path

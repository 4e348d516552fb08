"""Where Claude Code keeps its conversations: names of folders, files that count, what is deleted."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING

import pytest

from adapter.providers import claude_store
from adapter.providers.base import Launch, SessionConfig
from adapter.providers.claude_archive import ClaudeArchive, list_page
from adapter.providers.claude_store import Store, folder_name
from protocol.errors import AdapterError, ErrorKind
from tests.support.transcripts import Script

if TYPE_CHECKING:
    from pathlib import Path

A, B = "a" * 120, "b" * 60
ONE, TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/nowhere/dot.ted_under score/\u00dcn\u00ef", "-nowhere-dot-ted-under-score--n-"),
        ("/nowhere/\U0001f469", "-nowhere---"),
        ("/nowhere/" + "c" * 191, "-nowhere-" + "c" * 191),
        # Measured with claude 2.1.197 and 2.1.329.
        (f"/tmp/exp-xju1by8xr/{A}/{B}{B}", f"-tmp-exp-xju1by8xr-{A}-{B}-284qja"),
        (f"/tmp/exp-x4_fe5y4p/{A}/{B}{B}", f"-tmp-exp-x4-fe5y4p-{A}-{B}-rbuhkb"),
    ],
)  # fmt: skip
def test_a_working_folder_has_the_clis_name(path: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "realpath", str)  # where /tmp is a link, these names were measured without one
    assert folder_name(path) == name


def test_a_link_has_the_name_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert folder_name(str(tmp_path / "link")) == folder_name(str(tmp_path / "real"))


def test_a_path_that_cannot_be_has_no_conversations(tmp_path: Path) -> None:
    store = Store({"CLAUDE_CONFIG_DIR": str(tmp_path)})
    Script().user("u1", "a").write(tmp_path, "/", ONE)
    assert (len(store.transcripts("/")), store.transcripts("/\0"), store.find(TWO, "\0")) == (1, [], None)


@pytest.mark.spec("16.7")
def test_the_environment_says_where_to_look(tmp_path: Path) -> None:
    assert Store({"HOME": "/h"}).projects.as_posix() == "/h/.claude/projects"
    assert Store({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}).projects.as_posix() == "/c/projects"
    nothing = Store({"HOME": str(tmp_path)})
    assert (nothing.transcripts(), nothing.find(ONE)) == ([], None)


def test_a_conversation_under_its_own_folder_comes_before_a_later_one_of_its_id_elsewhere(tmp_path: Path) -> None:
    store = Store({"CLAUDE_CONFIG_DIR": str(tmp_path)})
    script = Script().user("u1", "a")
    script.write(tmp_path, "/here", ONE)
    script.write(tmp_path, "/there", ONE)
    os.utime(tmp_path / "projects" / "-here" / f"{ONE}.jsonl", ns=(5, 5))
    found = [store.find(ONE, folder) for folder in ("/here", "/there", None, "/elsewhere")]
    assert [each.path.parent.name for each in found if each] == ["-here", "-there", "-there", "-there"]
    assert found[0] is not None
    assert (store.is_under(found[0], "/here"), store.is_under(found[0], "/there")) == (True, False)


@pytest.mark.parametrize("size", [10, 60_000, 65_200, 66_000, 1_000_000, 3_000_000])
def test_a_list_tells_the_first_prompt_and_the_latest_title_however_long_the_prompt_is(
    tmp_path: Path, size: int
) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * size}}
    script = Script("/w").user("u1", [image, {"type": "text", "text": "What is this?"}]).agent("a1", "A cat.")
    script.write(tmp_path, "/w", ONE)
    script.keep("custom-title", customTitle="Cats").write(tmp_path, "/w", TWO)
    found, _ = list_page(Store({"CLAUDE_CONFIG_DIR": str(tmp_path)}), None, None, 5)
    told = {each.provider_session_id: each for each in found}
    assert {each.first_prompt for each in found} == {"What is this?" if size < 2_000_000 else None}
    assert (told[TWO].title, told[ONE].title) == ("Cats", told[ONE].first_prompt)
    assert {each.working_dir for each in found} == {"/w"}


@pytest.mark.parametrize("id", ["", "..", "../../etc/passwd", f"{ONE}/x", f"{ONE}\n", "title", f"-{ONE}"])
def test_what_is_no_id_never_becomes_a_path(tmp_path: Path, id: str) -> None:
    Script().user("u1", "a").write(tmp_path, "/w", ONE)
    assert Store({"CLAUDE_CONFIG_DIR": str(tmp_path)}).find(id) is None


def test_other_files_are_no_conversations(tmp_path: Path) -> None:
    Script().user("u1", "a").write(tmp_path, "/w", ONE)
    folder = tmp_path / "projects" / "-w"
    for name in ("notes.jsonl", f"{TWO}.json", f"{TWO}.jsonl.bak", "sessions-index.json"):
        (folder / name).write_text("{}")
    (folder / TWO).mkdir()
    (tmp_path / "projects" / "stray.jsonl").write_text("{}")
    assert [each.id for each in Store({"CLAUDE_CONFIG_DIR": str(tmp_path)}).transcripts()] == [ONE]


@pytest.mark.spec("16.5")
def test_what_lies_beside_a_conversation_goes_with_it_and_nothing_else(tmp_path: Path) -> None:
    store = Store({"CLAUDE_CONFIG_DIR": str(tmp_path)})
    for id in (ONE, TWO):
        Script().user("u1", "a").write(tmp_path, "/w", id)
    agents = tmp_path / "projects" / "-w" / ONE / "subagents"
    agents.mkdir(parents=True)
    (agents / "agent-1.jsonl").write_text("")
    (agents / "agent-1.meta.json").write_text(json.dumps({"toolUseId": "t1"}))
    (agents / "agent-2.meta.json").write_text(json.dumps({"toolUseId": "gone"}))
    (agents / "agent-3.meta.json").write_text("{half")
    found = store.find(ONE)
    assert found is not None
    assert claude_store.subagents(found) == {"t1": agents / "agent-1.jsonl"}
    claude_store.remove(found)
    assert not found.side.exists()
    assert [each.id for each in store.transcripts()] == [TWO]
    claude_store.remove(found)


def test_a_link_beside_a_conversation_is_not_followed(tmp_path: Path) -> None:
    id = Script().user("u1", "a").write(tmp_path, "/w", str(uuid.uuid4()))
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "projects" / "-w" / id).symlink_to(precious)
    found = Store({"CLAUDE_CONFIG_DIR": str(tmp_path)}).find(id)
    assert found is not None
    claude_store.remove(found)
    assert precious.exists()


@pytest.mark.anyio
@pytest.mark.spec("3.4")
@pytest.mark.parametrize(("resume", "at"), [("-p", None), ("title", "--print")])
async def test_what_looks_like_an_option_is_never_resumed_whoever_asks(resume: str, at: str | None) -> None:
    launch = Launch(SessionConfig(working_dir="/"), resume=resume, resume_at=at)
    with pytest.raises(AdapterError) as refusal:
        await ClaudeArchive({}).check(launch)
    assert refusal.value.kind is ErrorKind.INVALID_PARAMS

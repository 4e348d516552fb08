"""An editor's session with the real CLI: what a prompt holds, options, commands, questions, servers, and its history.

Each test starts the daemon once and makes many claims, because starting the CLI is what takes the time. The rules of
order and the published schema hold for every line (`run_editor`).
"""

from __future__ import annotations

import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.acp.conftest import PARAMETERS
from tests.acp.editor import ALL_CAPABILITIES, Editor, choose, run_editor
from tests.support.daemon import ROOT, Json, RpcError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acp.conftest import Backstage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

WAIT_S = 40.0
"""For one call: several times what it takes on a busy machine."""

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
"""A picture of one pixel."""


def text(words: str) -> Json:
    """A block of a prompt."""
    return {"type": "text", "text": words}


async def prompt(editor: Editor, session: str, *blocks: str | Json) -> str:
    """Run a prompt; its stop reason."""
    shown = [text(block) if isinstance(block, str) else block for block in blocks]
    result = await editor.request("session/prompt", within=WAIT_S, sessionId=session, prompt=shown)
    return result["stopReason"]  # type: ignore[no-any-return]


def current(state: Json, option: str) -> str:
    """The value of an option in what tells the state of all."""
    return next(each["currentValue"] for each in state["configOptions"] if each["id"] == option)  # type: ignore[no-any-return]


def allow_for_good(params: Json) -> Json:
    """Choose the option that remembers where there is one, else the one that allows once."""
    kinds = {option["kind"]: option["optionId"] for option in reversed(params["options"])}
    return choose(kinds.get("allow_always") or kinds["allow_once"])(params)


async def test_what_an_editor_brings_reaches_the_model_and_its_options_and_commands_stay_in_step(
    backstage: Backstage, workspace: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    more.mkdir()
    (more / "o.txt").write_text("of another folder\n")
    commands = backstage.home / ".claude" / "commands"
    commands.mkdir(parents=True)
    (commands / "greet.md").write_text("---\ndescription: Greets\nargument-hint: <name>\n---\nSC:echo $ARGUMENTS\n")
    server = {"name": "demo", "command": sys.executable, "args": ["-m", "tests.support.mcp_stdio"]}
    given = [{"name": "PYTHONPATH", "value": str(ROOT)}, {"name": "SHIP", "value": "Ahoy"}]
    flags = ("--claude-path", str(backstage.cli))
    environment = backstage.environment | {"CLAUDE_CODE_ENABLE_TODO_TOOLS": "1"}
    async with run_editor(*flags, env=environment, capabilities=ALL_CAPABILITIES) as editor:
        params: Json = {"cwd": str(workspace), "mcpServers": [{**server, "env": given}]}
        new = await editor.request("session/new", within=WAIT_S, **params, additionalDirectories=[str(more)])
        session = new["sessionId"]
        listed = (await editor.wait_update("available_commands_update"))["availableCommands"]
        greet = next(each for each in listed if each["name"] == "greet")
        assert (greet["description"].startswith("Greets"), greet["input"]) == (True, {"hint": "<name>"})
        assert {"clear", "login", "model", "effort"}.isdisjoint(each["name"] for each in listed)

        await _blocks(editor, backstage, session)
        await _folders_and_servers(editor, session, more)
        await _commands(editor, session)
        await _options(editor, backstage, session, new)
        await _questions(editor, session)
        await _plans(editor, session)


async def _blocks(editor: Editor, backstage: Backstage, session: str) -> None:
    """Images, links and embedded texts are in the one message that the model gets."""
    image = {"type": "image", "data": PNG, "mimeType": "image/png"}
    link = {"type": "resource_link", "uri": "file:///w/a.py", "name": "a.py"}
    embedded = {"type": "resource", "resource": {"uri": "file:///w/notes.md", "text": "the notes"}}
    assert await prompt(editor, session, "Look at ", link, embedded, image) == "end_turn"
    asked = str(next(each for each in reversed(backstage.server.requests) if not each.side_call).body["messages"])
    for part in (PNG, "[@a.py](file:///w/a.py)", "[@notes.md](file:///w/notes.md)", "the notes"):
        assert part in asked


async def _folders_and_servers(editor: Editor, session: str, more: Path) -> None:
    """A file of an additional folder is read unasked; a server of the editor's own has its tools and its environment.
    What is allowed for good is not asked again."""
    start = editor.heard
    assert await prompt(editor, session, f"SC:read {more}/o.txt") == "end_turn"
    assert editor.questions == []
    assert "of another folder" in str(editor.updates("tool_call_update", after=start)[-1]["content"])

    editor.answers["session/request_permission"] = allow_for_good
    for number in range(2):
        start = editor.heard
        assert await prompt(editor, session, f'SC:tool mcp__demo__add {{"a": {number}, "b": 2}}') == "end_turn"
        assert editor.text(after=start) == f"Tool said: {number + 2}"
        assert len(editor.questions) == 1
    start = editor.heard
    editor.answers["session/request_permission"] = choose("allow")
    assert await prompt(editor, session, 'SC:tool mcp__demo__environment {"name": "SHIP"}') == "end_turn"
    assert editor.text(after=start) == "Tool said: Ahoy"


async def _commands(editor: Editor, session: str) -> None:
    """Slash commands run; those that would end the conversation do not; one that nobody knows is harmless."""
    start = editor.heard
    assert await prompt(editor, session, "/greet Bob") == "end_turn"
    assert editor.text(after=start).startswith("history: ")
    assert await prompt(editor, session, "/nosuch thing") == "end_turn"
    used = editor.updates("usage_update")[-1]
    assert (used["used"] > 0, used["size"]) == (True, 1_000_000)
    for command in ("/clear now", "/reset", "/new"):
        start = editor.heard
        assert await prompt(editor, session, command) == "end_turn"
        assert "new session" in editor.text(after=start)
    start = editor.heard
    assert await prompt(editor, session, "/context") == "end_turn"
    assert "Context Usage" in editor.text(after=start)
    assert {each["used"] for each in editor.updates("usage_update", after=start)} <= {used["used"]}
    assert await prompt(editor, session, "/compact") == "end_turn"
    steps = editor.updates("compaction_update")
    assert [each["status"] for each in steps] == ["in_progress", "completed"]
    assert len({each["compactionId"] for each in steps}) == 1
    assert editor.updates("usage_update")[-1]["used"] > used["used"]


async def _options(editor: Editor, backstage: Backstage, session: str, new: Json) -> None:
    """The mode is one, whichever way it is set; the model and the effort are those of the next request."""
    assert new["modes"]["currentModeId"] == current(new, "mode") == "default"
    assert await editor.request("session/set_mode", sessionId=session, modeId="acceptEdits") == {}
    assert editor.updates("current_mode_update")[-1]["currentModeId"] == "acceptEdits"
    assert current(editor.updates("config_option_update")[-1], "mode") == "acceptEdits"
    for option, value in (("model", "sonnet"), ("effort", "low"), ("mode", "default")):
        state = await editor.request("session/set_config_option", sessionId=session, configId=option, value=value)
        assert current(state, option) == value
    assert editor.updates("current_mode_update")[-1]["currentModeId"] == "default"
    start = editor.heard
    assert await prompt(editor, session, "/effort high") == "end_turn"
    assert current(editor.updates("config_option_update", after=start)[-1], "effort") == "high"
    assert await prompt(editor, session, "SC:hello") == "end_turn"
    asked = next(each for each in reversed(backstage.server.requests) if not each.side_call).body
    assert ("sonnet" in asked["model"], asked["output_config"]["effort"]) == (True, "high")


async def _questions(editor: Editor, session: str) -> None:
    """A server's question and the agent's own are forms; a plan that is approved ends the planning."""
    answers = {"name": "Beagle", "question_0": "Blue"}
    editor.answers["elicitation/create"] = lambda params: {
        "action": "accept",
        "content": {name: answers[name] for name in params["requestedSchema"]["properties"] if name in answers},
    }
    for directive, answer in (("SC:tool mcp__demo__ask {}", "Beagle"), ("SC:askuser", "Blue")):
        start = editor.heard
        assert await prompt(editor, session, directive) == "end_turn"
        assert answer in editor.text(after=start)
    await editor.request("session/set_mode", sessionId=session, modeId="plan")
    editor.answers["session/request_permission"] = allow_for_good
    start = editor.heard
    assert await prompt(editor, session, "SC:plan") == "end_turn"
    asked = editor.questions[-1]["params"]
    assert "Look around" in str(asked["toolCall"]["content"])
    assert editor.updates("current_mode_update", after=start)[-1]["currentModeId"] == "acceptEdits"
    assert editor.text(after=start).endswith("Plan handled.")


async def _plans(editor: Editor, session: str) -> None:
    """The agent's to-do list is the plan, and its tools are no calls of their own."""
    start = editor.heard
    assert await prompt(editor, session, 'SC:tool TaskCreate {"subject": "Look", "description": "d"}') == "end_turn"
    assert await prompt(editor, session, 'SC:tool TaskUpdate {"taskId": "1", "status": "in_progress"}') == "end_turn"
    steps = [each["entries"] for each in editor.updates("plan", after=start)]
    entry = {"content": "Look", "priority": "medium"}
    assert steps == [[{**entry, "status": "pending"}], [{**entry, "status": "in_progress"}]]
    assert editor.updates("tool_call", after=start) == []


@pytest.mark.parametrize("backstage", PARAMETERS[-1:], indirect=True)
async def test_an_editor_without_forms_chooses_among_answers_and_declines_what_it_cannot_show(
    backstage: Backstage, workspace: Path
) -> None:
    server = {"name": "demo", "command": sys.executable, "args": ["-m", "tests.support.mcp_stdio"]}
    given = [{"name": "PYTHONPATH", "value": str(ROOT)}]
    flags = ("--claude-path", str(backstage.cli))
    terminal: Json = {"_meta": {"terminal_output": True}}
    async with run_editor(*flags, env=backstage.environment, capabilities=terminal) as editor:
        params: Json = {"cwd": str(workspace), "mcpServers": [{**server, "env": given}]}
        session = (await editor.request("session/new", within=WAIT_S, **params))["sessionId"]
        editor.answers["session/request_permission"] = choose("answer-1")
        assert await prompt(editor, session, "SC:askuser") == "end_turn"
        assert "Blue" in editor.text()
        editor.answers["session/request_permission"] = choose("allow")
        start = editor.heard
        assert await prompt(editor, session, "SC:tool mcp__demo__ask {}") == "end_turn"
        assert '"action": "accept"' not in editor.text(after=start)

        start = editor.heard
        assert await prompt(editor, session, "SC:bash echo out; exit 3") == "end_turn"
        told = editor.updates(after=start)
        begun = next(each for each in told if each["sessionUpdate"] == "tool_call")
        assert begun["content"] == [{"type": "terminal", "terminalId": begun["toolCallId"]}]
        metas = [each["_meta"] for each in told if "_meta" in each]
        assert "out" in "".join(each["terminal_output"]["data"] for each in metas if "terminal_output" in each)
        assert metas[-1]["terminal_exit"]["exit_code"] == 3


@pytest.mark.parametrize("backstage", PARAMETERS[-1:], indirect=True)
async def test_another_daemon_tells_the_whole_history_goes_on_and_deletes_it(
    backstage: Backstage, workspace: Path
) -> None:
    flags = ("--claude-path", str(backstage.cli))
    image = {"type": "image", "data": PNG, "mimeType": "image/png"}
    place: Json = {"cwd": str(workspace), "mcpServers": []}
    async with run_editor(*flags, env=backstage.environment, capabilities={}) as editor:
        editor.answers["session/request_permission"] = choose("allow")
        session = await editor.new(workspace)
        await editor.request("session/set_config_option", sessionId=session, configId="model", value="haiku")
        assert await prompt(editor, session, image, "SC:hello") == "end_turn"
        assert await prompt(editor, session, f"SC:write {workspace}/n.txt") == "end_turn"
        agent = f"SC:agent SC:bash echo sub > {workspace}/sub; cat {workspace}/sub"
        assert await prompt(editor, session, agent) == "end_turn"
        live = _calls(editor.updates())
        start = editor.heard
        await editor.request("session/load", sessionId=session, **place)
        # The CLI may write the end of the latest turn a little later.
        assert text("SC:hello") in [each.get("content") for each in editor.updates("user_message_chunk", after=start)]
        start = editor.heard
        assert await prompt(editor, session, "SC:hello") == "end_turn"
        assert editor.text(after=start) == "Hello there, friend."
    async with run_editor(*flags, env=backstage.environment, capabilities={}) as editor:
        with pytest.raises(RpcError) as failure:
            await prompt(editor, session, "SC:hello")
        assert failure.value.code == -32002
        with pytest.raises(RpcError) as failure:
            await editor.request("session/resume", within=WAIT_S, sessionId=str(uuid.uuid4()), **place)
        assert failure.value.code == -32002
        listed = (await editor.request("session/list", cwd=str(workspace)))["sessions"]
        assert [(each["sessionId"], each["cwd"]) for each in listed] == [(session, str(workspace))]
        loaded = await editor.request("session/load", within=WAIT_S, sessionId=session, **place)
        assert current(loaded, "model") == "haiku"
        _check_history(editor.updates(), live)
        start = editor.heard
        assert await prompt(editor, session, "SC:echo") == "end_turn"
        assert "first: SC:hello" in editor.text(after=start)
        fork = (await editor.request("session/fork", within=WAIT_S, sessionId=session, **place))["sessionId"]
        assert fork != session
        assert await editor.request("session/delete", sessionId=session) == {}
        assert session not in str(await editor.request("session/list"))


def _calls(updates: list[Json]) -> dict[str, Any]:
    """Each tool call's name and end."""
    named = {each["toolCallId"]: each["name"] for each in updates if each["sessionUpdate"] == "tool_call"}
    ended = {each["toolCallId"]: each["status"] for each in updates if each.get("status") in ("completed", "failed")}
    return {id: (name, ended.get(id)) for id, name in named.items()}


def _check_history(updates: list[Json], live: dict[str, Any]) -> None:
    said = [each["content"] for each in updates if each["sessionUpdate"] == "user_message_chunk"]
    assert said[:2] == [{"type": "image", "data": PNG, "mimeType": "image/png"}, text("SC:hello")]
    told = [each["content"]["text"] for each in updates if each["sessionUpdate"] == "agent_message_chunk"]
    assert told[0] == "Hello there, friend."
    assert "Agent handled." in told
    assert _calls(updates) == live
    assert {status for _, status in live.values()} == {"completed"}
    assert any(each.get("content", [{}])[0].get("type") == "diff" for each in updates if "toolCallId" in each)

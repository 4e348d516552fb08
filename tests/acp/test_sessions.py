"""Sessions from the editor's side, with the mock CLI: begun, configured, asked, listed, ended; and broken input."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.acp import scenario
from tests.acp.editor import ALL_CAPABILITIES, Editor, choose, run_editor
from tests.support.daemon import RpcError
from tests.support.mock_daemon import MOCK, RecordedCli, mock_environment
from tests.support.transcripts import Script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def editor(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    """One editor for all tests, which can do everything; each test has its session."""
    folder = tmp_path_factory.mktemp("acp")
    environment = mock_environment(scenario.write(folder), "acp-sessions", str(folder)) | {"HOME": str(folder)}
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities=ALL_CAPABILITIES) as editor:
        await editor.request("session/list")  # answered with all of the daemon there: its guardian is no test's child
        yield editor


@pytest.fixture
async def session(editor: Editor, workspace: Path) -> AsyncIterator[str]:
    """A session for a test; its id."""
    id = await editor.new(workspace)
    yield id
    await editor.request("session/close", sessionId=id)


async def refused(editor: Editor, method: str, **params: Any) -> RpcError:
    """The error that a request gets."""
    with pytest.raises(RpcError) as failure:
        await editor.request(method, **params)
    return failure.value


async def test_the_handshake_offers_what_is_there_and_the_terminals_login_only_to_who_has_a_terminal(
    editor: Editor,
) -> None:
    told = await editor.initialize(auth={"terminal": True})
    assert told["protocolVersion"] == 1
    assert told["agentCapabilities"]["promptCapabilities"] == {"image": True, "audio": False, "embeddedContext": True}
    assert [(each["id"], each.get("type"), each.get("args")) for each in told["authMethods"]] == [
        ("cli-login", None, None),
        ("terminal-login", "terminal", ["login"]),
    ]
    told = await editor.initialize(auth={"terminal": True}, _meta={"terminal-auth": True})
    command = told["authMethods"][1]["_meta"]["terminal-auth"]
    assert (command["label"], command["command"]) == ("Log in", sys.executable)
    assert (command["args"][:3], command["args"][-1]) == (["-m", "adapter", "acp"], "login")
    told = await editor.initialize(auth="nonsense", session=5, elicitation=None)
    assert [each["id"] for each in told["authMethods"]] == ["cli-login"]
    answer = await editor.request("initialize", protocolVersion=2, clientInfo=[], clientCapabilities="x")
    assert answer["protocolVersion"] == 1
    assert (await refused(editor, "initialize", clientCapabilities={})).code == -32602
    await editor.initialize(**ALL_CAPABILITIES)


async def test_authenticating_says_whether_the_cli_is_logged_in(editor: Editor) -> None:
    assert await editor.request("authenticate", methodId="cli-login") == {}
    assert (await refused(editor, "authenticate", methodId="terminal-login")).code == -32602


async def test_the_mode_is_one_whichever_way_it_is_switched(editor: Editor, session: str) -> None:
    start = editor.heard
    assert await editor.request("session/set_mode", sessionId=session, modeId="plan") == {}
    told = [each["sessionUpdate"] for each in editor.updates(after=start)]
    assert told[-2:] == ["current_mode_update", "config_option_update"]
    state = await editor.request("session/set_config_option", sessionId=session, configId="mode", value="acceptEdits")
    assert current(state, "mode") == "acceptEdits"
    assert editor.updates("current_mode_update", after=start)[-1]["currentModeId"] == "acceptEdits"
    assert current(editor.updates("config_option_update", after=start)[-1], "mode") == "acceptEdits"


async def test_model_and_effort_are_options_and_each_answer_tells_the_state_of_all(
    editor: Editor, session: str
) -> None:
    state = await editor.request("session/set_config_option", sessionId=session, configId="model", value="mock-large")
    assert (current(state, "model"), current(state, "effort")) == ("mock-large", "default")
    for value in ("low", "default"):
        state = await editor.request("session/set_config_option", sessionId=session, configId="effort", value=value)
        assert (current(state, "model"), current(state, "effort")) == ("mock-large", value)
    assert [option["category"] for option in state["configOptions"]] == ["mode", "model", "thought_level"]


BAD_PARAMS: list[tuple[str, Json, str]] = [
    ("session/set_mode", {"modeId": "yolo"}, "modeId"),
    ("session/set_mode", {}, "modeId"),
    ("session/set_config_option", {"configId": "colour", "value": "red"}, "configId"),
    ("session/set_config_option", {"configId": "model", "value": "nonsense"}, "value"),
    ("session/set_config_option", {"configId": "mode", "type": "boolean", "value": True}, "value"),
    ("session/prompt", {}, "prompt"),
    ("session/prompt", {"prompt": []}, "prompt"),
    ("session/prompt", {"prompt": [{"type": "text", "text": " "}]}, "prompt"),
    ("session/prompt", {"prompt": [{"type": "text"}]}, "prompt.0.text"),
    ("session/prompt", {"prompt": [{"type": "audio", "data": "", "mimeType": "audio/wav"}]}, "prompt.0.type"),
    ("session/prompt", {"prompt": [{"type": "image", "data": "???", "mimeType": "image/png"}]}, "prompt.0.data"),
    ("session/prompt", {"prompt": ["text"]}, "prompt.0.type"),
]

BAD_PLACES: list[tuple[Json, str]] = [
    ({}, "cwd"),
    ({"cwd": "relative"}, "cwd"),
    ({"cwd": "/nowhere/at/all"}, "cwd"),
    ({"cwd": "/", "_meta": {"cwd": "/tmp"}, "additionalDirectories": ["x"]}, "additionalDirectories.0"),
    ({"cwd": "/", "additionalDirectories": ["/nowhere/at/all"]}, "additionalDirectories.0"),
    ({"cwd": "/", "mcpServers": {}}, "mcpServers"),
    ({"cwd": "/", "mcpServers": [{"name": "a"}]}, "mcpServers.0.command"),
    ({"cwd": "/", "mcpServers": [{"type": "http", "name": "a"}]}, "mcpServers.0.url"),
    ({"cwd": "/", "mcpServers": [{"type": "ftp", "name": "a"}]}, "mcpServers.0.type"),
    ({"_meta": {"cwd": "/"}}, "cwd"),
]


async def test_params_that_cannot_be_used_are_named(editor: Editor, session: str) -> None:
    for method, params, path in BAD_PARAMS:
        error = await refused(editor, method, sessionId=session, **params)
        assert (method, error.code, error.data["errors"][0]["path"]) == (method, -32602, path)


async def test_a_session_that_cannot_be_begun_says_which_param_is_to_blame(editor: Editor) -> None:
    for params, path in BAD_PLACES:
        error = await refused(editor, "session/new", **params)
        assert (error.code, error.data["errors"][0]["path"]) == (-32602, path)


async def test_an_unknown_session_is_a_resource_that_was_not_found(editor: Editor) -> None:
    params: Json = {"prompt": [{"type": "text", "text": "x"}], "modeId": "plan", "configId": "mode", "value": "plan"}
    for method in ("session/prompt", "session/set_mode", "session/set_config_option", "session/close"):
        assert (await refused(editor, method, sessionId="nobody", **params)).code == -32002


async def test_unknown_methods_are_refused_and_unknown_notifications_passed_over(editor: Editor, session: str) -> None:
    for method in ("session/set_model", "_vendor/thing", "rpc.discover", "start_session"):
        assert (await refused(editor, method, sessionId=session)).code == -32601
    await editor.notify("_vendor/news", sessionId=session)
    assert await editor.prompt(session, "hello") == "end_turn"


async def test_a_conversation_that_is_not_there_is_not_found_and_deleting_it_is_no_error(
    editor: Editor, workspace: Path
) -> None:
    unknown = "11111111-2222-4333-8444-555555555555"
    for method, id in (("session/load", unknown), ("session/resume", "A title"), ("session/fork", "A title")):
        error = await refused(editor, method, sessionId=id, cwd=str(workspace), mcpServers=[])
        assert (method, error.code, error.data["sessionId"]) == (method, -32002, id)
        assert "session/list" in error.message
    assert await editor.request("session/delete", sessionId=unknown) == {}
    assert await editor.request("session/list", cwd=str(workspace)) == {"sessions": []}
    assert (await refused(editor, "session/list", cursor="nonsense")).code == -32602


async def test_a_question_is_put_as_a_form_and_its_answer_reaches_the_agent(editor: Editor, session: str) -> None:
    start, asked = editor.heard, len(editor.questions)
    prompt = await editor.post_prompt(session, "ask")
    question = await editor.wait_question("elicitation/create", after=asked)
    field = question["params"]["requestedSchema"]["properties"]["question_0"]
    assert [option["const"] for option in field["oneOf"]] == ["Red", "Blue"]
    assert question["params"]["toolCallId"] == "call_ask"
    await editor.answer(question, {"action": "accept", "content": {"question_0": "Blue", "question_0_custom": ""}})
    assert await editor.response(prompt) == {"stopReason": "end_turn"}
    assert "Blue" in editor.text(after=start)


async def test_a_question_that_is_not_answered_is_denied(editor: Editor, session: str) -> None:
    for answer in ({"action": "decline"}, {"action": "cancel"}, {}, None, {"action": "later"}):
        start, asked = editor.heard, len(editor.questions)
        prompt = await editor.post_prompt(session, "ask")
        await editor.answer(await editor.wait_question("elicitation/create", after=asked), answer)
        assert await editor.response(prompt) == {"stopReason": "end_turn"}
        ended = await editor.wait_update("tool_call_update", after=start, status="failed")
        assert ended["toolCallId"] == "call_ask"


async def test_an_editor_without_forms_gets_the_question_as_options_to_choose_from(
    workspace: Path, tmp_path: Path
) -> None:
    environment = mock_environment(scenario.write(tmp_path), "acp-options", str(tmp_path))
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        editor.answers["session/request_permission"] = choose("answer-1")
        session = await editor.new(workspace)
        assert await editor.prompt(session, "ask") == "end_turn"
        names = [option["name"] for option in editor.questions[0]["params"]["options"]]
        assert names == ["Red: Like a rose", "Blue", "Leave it open"]
        assert "Blue" in editor.text()


async def test_what_the_editor_brings_reaches_the_cli_and_nothing_secret_its_command_line(
    workspace: Path, tmp_path: Path
) -> None:
    cli = RecordedCli(tmp_path, scenario.write(tmp_path))
    environment = mock_environment("default", "acp-brings", str(tmp_path))
    more = tmp_path / "more"
    more.mkdir()
    image = {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}
    text = {"uri": "file:///w/notes.md", "text": "the notes", "mimeType": "text/markdown"}
    async with run_editor("--claude-path", str(cli.path), env=environment, capabilities={}) as editor:
        servers = [{"name": "tide", "command": "tide-server", "args": [], "env": [{"name": "KEY", "value": "secret"}]}]
        params: Json = {"cwd": str(workspace), "mcpServers": servers, "additionalDirectories": [str(more)]}
        session = (await editor.request("session/new", **params))["sessionId"]
        blocks = [
            {"type": "text", "text": "Look at "},
            {"type": "resource_link", "uri": "file:///w/a.py", "name": "a.py"},
            {"type": "resource", "resource": text},
            image,
        ]
        await editor.request("session/prompt", sessionId=session, prompt=blocks)
    (command,) = cli.arguments()
    assert command[command.index("--add-dir") + 1] == str(more)
    assert "--mcp-config" in command
    assert "secret" not in " ".join(command)
    assert cli.prompts() == [
        [
            [
                {"type": "text", "text": "Look at "},
                {"type": "text", "text": "[@a.py](file:///w/a.py)"},
                {"type": "text", "text": "[@notes.md](file:///w/notes.md)"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "text", "text": '\n<context ref="file:///w/notes.md">\nthe notes\n</context>'},
            ]
        ]
    ]


async def test_a_session_begins_with_the_users_own_mode_and_model(workspace: Path, tmp_path: Path) -> None:
    settings = {"permissions": {"defaultMode": "plan"}, "model": "mock-large"}
    answer = {"effective": settings, "sources": [{"source": "userSettings", "settings": settings}]}
    script = scenario.write(tmp_path, on={"get_settings": {"response": answer}})
    environment = mock_environment(script, "acp-defaults", str(tmp_path))
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        told = await editor.request("session/new", cwd=str(workspace), mcpServers=[])
    assert told["modes"]["currentModeId"] == current(told, "mode") == "plan"
    assert current(told, "model") == "mock-large"


async def test_a_cli_that_cannot_tell_its_settings_is_used_all_the_same(workspace: Path, tmp_path: Path) -> None:
    answers: list[Json] = [{"error": "no such request"}, {"response": {}}]
    for answer in answers:
        script = scenario.write(tmp_path, on={"get_settings": answer})
        environment = mock_environment(script, "acp-silent", str(tmp_path))
        async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
            told = await editor.request("session/new", cwd=str(workspace), mcpServers=[])
            assert (current(told, "mode"), current(told, "model")) == ("default", "default")
            assert await editor.prompt(told["sessionId"], "hello") == "end_turn"


async def test_a_folders_own_servers_run_only_when_the_user_trusts_it(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".mcp.json").write_text('{"mcpServers": {"tide": {"command": "tide-server"}}}')
    cli = RecordedCli(tmp_path, scenario.write(tmp_path))
    environment = mock_environment("default", "acp-trust", str(tmp_path)) | {"HOME": str(tmp_path)}
    answers: list[Json] = [{"trust": "leave"}, {"trust": "run"}]
    async with run_editor("--claude-path", str(cli.path), env=environment, capabilities=ALL_CAPABILITIES) as editor:
        editor.answers["elicitation/create"] = lambda _: {"action": "accept", "content": answers.pop(0)}
        for _ in range(3):
            await editor.request("session/close", sessionId=await editor.new(workspace))
        assert [question["params"]["requestId"] for question in editor.questions] == ["e2", "e4"]
        assert "tide-server" in str(editor.questions[0]["params"]["requestedSchema"])
    environment |= {"XDG_STATE_HOME": str(tmp_path / "another")}
    for flags in ([], ["--trust", "always"]):
        async with run_editor("--claude-path", str(cli.path), *flags, env=environment, capabilities={}) as plain:
            session = await plain.new(workspace)
            await plain.prompt(session, "hello")
            assert plain.questions == []
            assert ("not trusted" in plain.text("agent_thought_chunk")) == (not flags)
    assert ["--setting-sources" in each for each in cli.arguments()] == [True, False, False, True, False]


async def test_a_cli_that_does_not_start_or_is_not_logged_in_is_an_error_that_says_what_to_do(
    workspace: Path, tmp_path: Path
) -> None:
    for name, code in (("not_logged_in", -32000), ("crash_before_handshake", -32603)):
        environment = mock_environment(name, "acp-start", str(tmp_path))
        async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
            error = await refused(editor, "session/new", cwd=str(workspace), mcpServers=[])
            assert (name, error.code) == (name, code)
            assert error.message


async def test_a_request_that_is_taken_back_is_answered_as_cancelled_and_leaves_no_session(
    workspace: Path, tmp_path: Path
) -> None:
    environment = mock_environment("hang_handshake", "acp-taken-back", str(tmp_path))
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        id = await editor.post("session/new", cwd=str(workspace), mcpServers=[])
        await editor.notify("$/cancel_request", requestId=id)
        with pytest.raises(RpcError) as failure:
            await editor.response(id)
        assert failure.value.code == -32800


GARBAGE: list[tuple[bytes, int]] = [
    (b"{", -32700),
    (b"\xff\xfe\n", -32700),
    (b"nonsense", -32700),
    (b"Content-Length: 10", -32700),
    (b"[]", -32600),
    (b'[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}]', -32600),
    (b"42", -32600),
    (b"null", -32600),
    (b'"text"', -32600),
    (b"{}", -32600),
    (b'{"jsonrpc":"2.0","id":1}', -32600),
    (b'{"jsonrpc":"2.0","id":true,"method":"initialize"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":[]}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":null}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":5,"mcpServers":null}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"session/prompt","params":{"sessionId":{}}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"session/list","params":{"cwd":5,"cursor":[]}}', 0),
]


async def test_any_line_gets_its_answer_and_the_connection_lives(tmp_path: Path) -> None:
    environment = mock_environment("default", "acp-garbage", str(tmp_path)) | {"HOME": str(tmp_path)}
    async with run_editor("--claude-path", str(MOCK), "--max-message", "4096", env=environment) as editor:
        for line, code in [*GARBAGE, (b'"' + b"x" * 5000 + b'"', -32600)]:
            start = editor.heard
            await editor.daemon.send_raw(line + b"\n")
            answer = await editor.daemon.wait_for(lambda _: True, after=start)
            assert (line[:60], answer.get("error", {}).get("code", 0)) == (line[:60], code)
        await editor.daemon.send_raw(
            b'{"jsonrpc":"2.0","id":9,"result":{}}\n{"jsonrpc":"2.0","method":"session/cancel"}\n\n'
        )
        assert (await editor.initialize())["protocolVersion"] == 1
        editor.talk.clear()


def current(state: Json, option: str) -> str:
    """The value of an option in what tells the state of all."""
    return next(each["currentValue"] for each in state["configOptions"] if each["id"] == option)  # type: ignore[no-any-return]


async def test_a_long_history_is_replayed_whole_and_in_order_before_the_answer(workspace: Path, tmp_path: Path) -> None:
    script = Script(str(workspace))
    for at in range(100):
        word = f"{at:04}{'x' * (100_000 if 0 < at < 99 else 9)}"
        script = script.agent(f"m{at}", word) if at % 2 else script.user(f"m{at}", word)
    id = script.write(tmp_path / "claude", str(workspace))
    environment = mock_environment(scenario.write(tmp_path), "acp-history", str(tmp_path)) | {"HOME": str(tmp_path)}
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        listed = await editor.request("session/list", cwd=str(workspace))
        assert [each["sessionId"] for each in listed["sessions"]] == [id]
        for _ in range(2):  # also of a session that is live by now, without a second CLI
            start = editor.heard
            await editor.request("session/load", sessionId=id, cwd=str(workspace), mcpServers=[])
            told = [each["content"]["text"][:4] for each in editor.updates(after=start) if "content" in each]
            assert told == [f"{at:04}" for at in range(100)]
        assert await editor.prompt(id, "hello") == "end_turn"
        shown = [each["messageId"] for each in editor.updates() if "messageId" in each]
        assert len({each.rpartition("-")[0] for each in shown}) == 2  # what is told twice has ids of its own
        place = {"cwd": str(workspace), "mcpServers": []}
        closed = await editor.post("session/close", sessionId=id)
        for asked in [await editor.post("session/resume", sessionId=id, **place) for _ in range(2)]:
            assert "modes" in await editor.response(asked)
        assert await editor.response(closed) == {}
        assert await editor.prompt(id, "hello") == "end_turn"
        await editor.request("session/delete", sessionId=id)
        assert await editor.request("session/list", cwd=str(workspace)) == {"sessions": []}

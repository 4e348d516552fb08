"""Settings, schemas and effort of a session's config: what the CLI would pass over is fitted or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import RpcError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "day": {"type": "string", "format": "date"},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}], "minItems": 1, "maxItems": 1},
    },
    "required": ["day"],
}


@pytest.mark.spec("3.9")
async def test_settings_of_the_session_hold_from_the_first_turn_on_and_reach_no_command_line(
    stage: Stage, workspace: Path, tmp_path: Path
) -> None:
    settings = {"permissions": {"allow": ["Bash"]}, "env": {"GIVEN": "by the settings"}}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    for given in (settings, str(tmp_path / "settings.json")):
        async with stage.session(workspace, settings=given, fallback_model="claude-haiku-4-5") as talk:
            await talk.turn("SC:bash echo $GIVEN > seen")
            lines = [" ".join(process.cmdline()) for process in stage.running()]
        assert talk.questions == []
        assert (workspace / "seen").read_text() == "by the settings\n"
        assert any("--fallback-model claude-haiku-4-5" in line for line in lines)
        assert not any("by the settings" in line for line in lines)
        (workspace / "seen").unlink()


@pytest.mark.spec("3.9")
async def test_a_schema_of_a_newer_draft_gives_a_structured_output_all_the_same(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, output_schema=SCHEMA) as talk:
        heard = await talk.turn('SC:tool StructuredOutput {"day": "2026-11-21"}')
    assert heard.completed["structured_output"] == {"day": "2026-11-21"}


@pytest.mark.spec("3.9")
async def test_what_the_cli_would_pass_over_is_refused_by_name(stage: Stage, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    for config, code, said in (
        ({"output_schema": {"type": "object", "unevaluatedProperties": False}}, -32010, "unevaluatedProperties"),
        ({"settings": str(tmp_path / "missing.json")}, -32602, "config.settings"),
        ({"settings": str(tmp_path / "list.json")}, -32602, "config.settings"),
        ({"agents": {"reader": {"description": "Reads"}}}, -32602, "reader: a prompt is needed"),
        ({"effort": "heroic"}, -32602, "config.effort"),
    ):
        with pytest.raises(RpcError) as refusal:
            await stage.daemon.start_session(workspace, config=config)
        assert (refusal.value.code, said in refusal.value.message) == (code, True), refusal.value.message


@pytest.mark.spec("3.7")
async def test_further_arguments_reach_the_cli_as_they_are(stage: Stage, workspace: Path, tmp_path: Path) -> None:
    log, plugin = tmp_path / "debug.log", tmp_path / "plugin"
    (plugin / ".claude-plugin").mkdir(parents=True)
    (plugin / ".claude-plugin" / "plugin.json").write_text('{"name": "harbour"}')
    (plugin / "hooks").mkdir()
    hook = {"type": "command", "command": f"touch {tmp_path / 'hooked'}"}
    (plugin / "hooks" / "hooks.json").write_text(json.dumps({"hooks": {"UserPromptSubmit": [{"hooks": [hook]}]}}))
    arguments = ["--tools", "Bash,Read", "--strict-mcp-config", "--no-session-persistence", "--debug-file", str(log)]
    arguments += ["--agent", "keeper", "--disable-slash-commands", "--name", "Light"]
    arguments += ["--exclude-dynamic-system-prompt-sections", "--verbose", "--print", "--debug"]
    arguments += ["--betas", "tide-2026-01-01", "--brief", "--no-chrome", "--plugin-dir", str(plugin)]
    arguments += ["--prompt-suggestions", "false", "--thinking", "disabled"]
    if not stage.is_old:
        arguments += ["--autocompact", "auto", "--system-prompt-snapshot", "off", "--restricted"]
    agents = {"keeper": {"description": "Keeps it", "prompt": "Keep the light."}}
    async with stage.session(workspace, extra_args=arguments, agents=agents) as talk:
        assert (await talk.turn("SC:hello")).text == "Hello there, friend."
        request = talk.requests[-1]
        started = await talk.wait("session_started")
    assert (tmp_path / "hooked").exists()
    assert started["event"]["slash_commands"] == []
    if stage.is_old:  # the newer one has no such section, and thinks with its default model whatever it is told
        assert str(workspace) not in str(request.body["system"])
        assert request.body["thinking"] == {"type": "disabled"}
    assert {"Write", "Edit", "WebFetch"}.isdisjoint(tool["name"] for tool in request.body["tools"])
    assert "Keep the light." in str(request.body["system"])
    assert log.stat().st_size > 0
    assert list(stage.home.rglob(f"{talk.provider_session_id}.jsonl")) == []


@pytest.mark.spec("3.7")
async def test_a_set_up_can_be_left_out_by_an_argument(stage: Stage, workspace: Path) -> None:
    (workspace / "CLAUDE.md").write_text("Mention the tide.")
    for argument in ("--safe-mode", "--bare"):
        async with stage.session(workspace, extra_args=[argument]) as talk:
            await talk.turn("SC:hello")
            assert "Mention the tide." not in talk.latest

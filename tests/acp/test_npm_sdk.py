"""The npm SDK's client, which nobody here wrote, drives the real CLI through `agent-adapter acp`.

The conversation itself is `tests/foreign/acp.mjs`; what it saw is judged here. It drops updates that do not fit its
schema.
"""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.foreign import CACHE, SOURCE, npm_package

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acp.conftest import Backstage

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_cli,
    pytest.mark.skipif(npm_package("@agentclientprotocol/sdk") is None, reason="the npm SDK is not installed"),
]

WAIT_S = 50.0
"""For the whole conversation: several times what it takes on a busy machine."""


def _text(updates: list[dict[str, Any]], kind: str) -> str:
    return "".join(update["content"]["text"] for update in updates if update["sessionUpdate"] == kind)


async def test_it_prompts_allows_rejects_cancels_lists_and_loads(
    backstage: Backstage, workspace: Path, tmp_path: Path
) -> None:
    # Node looks for packages beside the script.
    script = CACHE / "acp.mjs"
    shutil.copyfile(SOURCE / "acp.mjs", script)
    agent = [sys.executable, "-m", "adapter", "acp", "--claude-path", str(backstage.cli)]
    with anyio.fail_after(WAIT_S):
        run = await anyio.run_process(
            ["node", str(script), str(workspace), *agent], env=backstage.environment, check=False
        )
    assert run.stdout, run.stderr.decode()
    seen = json.loads(run.stdout)
    assert seen["stops"] == {
        "text": "end_turn", "allowed": "end_turn", "rejected": "end_turn", "cancelled": "cancelled",
    }  # fmt: skip
    assert (workspace / "made").read_text() == "made\n"
    assert not (workspace / "never").exists()
    calls = [update for update in seen["updates"] if update["sessionUpdate"] == "tool_call"]
    assert [call["toolCallId"] for call in calls[:2]] == seen["asked"]
    assert next(each for each in seen["options"] if each["category"] == "mode")["currentValue"] == "plan"
    assert seen["listed"] == [seen["sessionId"]]
    assert _text(seen["replayed"], "user_message_chunk").startswith("SC:hello")
    assert _text(seen["replayed"], "agent_message_chunk").startswith("Hello there, friend.")
    assert seen["code"] == 0

"""What is secret or long in a session's config is not to be seen by other users of the machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil
import pytest

from tests.support.mock_daemon import mock_daemon

pytestmark = pytest.mark.anyio

SECRET = "s3cret-of-the-parent"


@pytest.mark.spec("3.5")
async def test_prompts_schemas_agents_and_servers_stay_off_the_command_line(workspace: Path) -> None:
    config = {
        "system_prompt": SECRET,
        "append_system_prompt": SECRET,
        "output_schema": {"title": SECRET},
        "agents": {"pilot": {"description": "d", "prompt": SECRET}},
        "mcp_servers": {"tide": {"command": "true", "env": {"TOKEN": SECRET}}},
        "env": {"TOKEN": SECRET},
    }
    async with mock_daemon() as daemon:
        result = await daemon.request("start_session", config={"working_dir": str(workspace), **config})
        arguments = " ".join(psutil.Process(result["pid"]).cmdline())
        left = list(Path(tempfile.gettempdir()).glob("agent-adapter-*/agent-adapter-mcp-*"))
    assert "--mcp-config" in arguments
    assert SECRET not in arguments
    assert left == []
    assert SECRET not in daemon.stderr

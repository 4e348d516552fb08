"""What is secret or long in a session's config is not to be seen by other users of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from tests.support.mock_daemon import mock_daemon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SECRET = "s3cret-of-the-parent"

SOON_S = 10.0
"""The guardian promises two seconds; this allows for a busy machine."""

POLL_S = 0.01
"""Between two looks at a folder: files give no notice."""


@pytest.mark.spec("3.5")
async def test_prompts_schemas_agents_and_servers_stay_off_the_command_line(workspace: Path, tmp_path: Path) -> None:
    config = {
        "system_prompt": SECRET,
        "append_system_prompt": SECRET,
        "output_schema": {"title": SECRET},
        "agents": {"pilot": {"description": "d", "prompt": SECRET}},
        "mcp_servers": {"tide": {"command": "true", "env": {"TOKEN": SECRET}}},
        "env": {"TOKEN": SECRET},
    }
    async with mock_daemon(env={"TMPDIR": str(tmp_path)}) as daemon:
        result = await daemon.request("start_session", config={"working_dir": str(workspace), **config})
        arguments = " ".join(psutil.Process(result["pid"]).cmdline())
        left = list(tmp_path.glob("agent-adapter-*/agent-adapter-mcp-*"))
    assert "--mcp-config" in arguments
    assert SECRET not in arguments
    assert left == []
    assert SECRET not in daemon.stderr


@pytest.mark.spec("17.3")
async def test_a_daemon_that_is_killed_while_a_cli_starts_leaves_no_file_with_secrets(
    workspace: Path, tmp_path: Path
) -> None:
    config = {"working_dir": str(workspace), "mcp_servers": {"tide": {"command": "true", "env": {"TOKEN": SECRET}}}}
    environment = {"TMPDIR": str(tmp_path)}
    async with mock_daemon(scenario="hang_handshake", env=environment, ends=False, finished=False) as daemon:
        await daemon.post("start_session", config=config)
        with anyio.fail_after(SOON_S):
            while not (files := list(tmp_path.glob("*/agent-adapter-mcp-*"))):  # noqa: ASYNC110 (no notice)
                await anyio.sleep(POLL_S)
        assert (files[0].stat().st_mode & 0o777, files[0].parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert SECRET in files[0].read_text()
        daemon.process.kill()
        with anyio.fail_after(SOON_S):
            while list(tmp_path.glob("agent-adapter-*")):  # noqa: ASYNC110 (files give no notice)
                await anyio.sleep(POLL_S)

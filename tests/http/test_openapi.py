"""The OpenAPI document, held against the running daemon by somebody else's tool: what it says is so, and nothing that
it does not allow is taken. With the mock CLI behind.

Two checks of the tool are left out. A method that a path does not have is refused for its missing Content-Type before
anybody looks at the path (`unsupported_method`), so none is tried. And a request that fits the schema may still ask for
what cannot be done, such as an answer without a question (`positive_data_acceptance`).
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from unittest.mock import Mock

import anyio
import pytest

from adapter.faces.http.app import build_app
from adapter.faces.http.refusals import TYPES
from protocol import openapi
from protocol.openapi.document import ERRORS
from tests.support.http_daemon import TOKEN, mock_http

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(150)]

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,ignored_auth"
)
CHECK_S = 100.0
"""About ten seconds on an idle machine."""

SETTINGS = """
[phases.coverage]
unexpected-methods = []

[[operations]]
include-operation-id-regex = "^create_"
phases.coverage.enabled = false

[[operations]]
exclude-operation-id-regex = "^create_"
phases.fuzzing.enabled = false
"""
"""The operations that start a CLI get a few cases each, good and bad; what is in their requests is tried with
`count_tokens`, as all others systematically."""


async def check(url: str, folder: Path) -> None:
    """Let schemathesis try a running daemon; the same requests each time."""
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    command += [f"--config-file={settings}", "run"]
    command += [f"{url}/openapi.json", "-H", f"x-api-key: {TOKEN}", "--checks", CHECKS, "--no-color"]
    command += ["--phases=coverage,fuzzing", "--max-examples=2", "--generation-deterministic", "--continue-on-failure"]
    with anyio.fail_after(CHECK_S):
        run = await anyio.run_process(command, check=False, stderr=subprocess.STDOUT, cwd=folder)
    assert run.returncode == 0, run.stdout.decode()[-6000:]


async def test_what_the_document_says_is_so_whatever_is_asked(tmp_path: Path) -> None:
    async with mock_http(scenario="text_turn") as server:
        await check(server.url, tmp_path)


async def test_the_document_has_every_path_of_the_application_and_no_other() -> None:
    paths = set(openapi.document("1")["paths"])
    routes = build_app(Mock(), Mock(), Mock()).routes  # type: ignore[attr-defined]
    served = {route.path.replace(":path", "") for route in routes}
    assert served - paths == {"/", "/api/hello"}
    assert paths - served == set()


async def test_every_status_of_a_refusal_stands_in_the_document() -> None:
    assert {str(status) for status in TYPES} <= set(ERRORS)

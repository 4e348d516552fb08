"""What goes wrong between the real CLI and its model becomes the right end of a turn, and the session goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.real_session import RETRIES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.real_session import Heard, Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

API_ERRORS = {
    400: ("api_error", 0),
    401: ("not_authenticated", RETRIES),
    403: ("not_authenticated", 0),
    404: ("api_error", 0),
    429: ("api_error", RETRIES),
    500: ("api_error", RETRIES),
    529: ("api_error", RETRIES),
}
"""Status to the kind of error, and to how often the CLI tries again (measured with claude 2.1.197 and 2.1.329)."""


async def _suffer(stage: Stage, folder: Path, prompts: Iterable[str]) -> dict[str, Heard]:
    """What becomes of each prompt, in a session of its own, all side by side; each session then takes another turn."""
    suffered: dict[str, Heard] = {}

    async def suffer(prompt: str) -> None:
        async with stage.session(folder) as talk:
            suffered[prompt] = await talk.turn(prompt)
            assert (await talk.turn("SC:two")).text == "Second answer.", prompt

    async with anyio.create_task_group() as tasks:
        for prompt in prompts:
            tasks.start_soon(suffer, prompt)
    return suffered


async def test_each_api_error_ends_its_turn_with_its_kind_and_status_and_every_retry_is_told(
    stage: Stage, workspace: Path
) -> None:
    suffered = await _suffer(stage, workspace, [f"SC:error {status}" for status in API_ERRORS])
    found, retries = {}, {}
    for status in API_ERRORS:
        heard = suffered[f"SC:error {status}"]
        error = heard.completed["error"]
        assert heard.completed["stop_reason"] == "error"
        assert error["message"] == heard.completed["result"]
        assert heard.text == "", "the CLI's own words about it are no answer of the agent's"
        told = [notice for notice in heard.notices if "; retry " in notice]
        assert all(f"error {status}" in notice for notice in told)
        found[status], retries[status] = (error["kind"], error["api_status"]), len(told)
    assert found == {status: (kind, status) for status, (kind, _) in API_ERRORS.items()}
    assert retries == {status: tries for status, (_, tries) in API_ERRORS.items()}
    assert "/login" in suffered["SC:error 401"].completed["error"]["hint"]


async def test_an_error_that_a_retry_mends_is_a_notice_in_a_turn_that_ends_well(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn("SC:error 500 times=1")
    assert [notice.split("; ")[1].split(" in ")[0] for notice in heard.notices] == [f"retry 1 of {RETRIES}"]
    assert (heard.text, heard.completed["stop_reason"]) == ("Worked at last.", "end_turn")


async def test_a_broken_stream_ends_its_turn_with_an_error_and_keeps_the_text_that_came(
    stage: Stage, workspace: Path
) -> None:
    said = {
        "SC:cut": "Partial text before the cut",
        "SC:cutmid": "Partial text before the cut",
        "SC:badsse": "Good so far",
        "SC:sseerror": "Good so far",
        "SC:drop": "",
    }
    suffered = await _suffer(stage, workspace, said)
    ends = {prompt: heard.completed for prompt, heard in suffered.items()}
    assert {prompt: end["error"]["kind"] for prompt, end in ends.items()} == dict.fromkeys(said, "api_error")
    assert {prompt: end["error"]["api_status"] for prompt, end in ends.items()} == dict.fromkeys(said, None)
    for prompt, text in said.items():
        # The newer CLI asks the model up to three times to go on, and this model gives the same again.
        times = suffered[prompt].text.count(text) if text else 1
        assert times >= 1
        assert suffered[prompt].text == text * times
        assert times == 1 or not stage.is_old


async def test_a_stream_that_was_cut_once_is_mended_where_the_cli_can(stage: Stage) -> None:
    async with stage.conversation() as talk:
        heard = await talk.turn("SC:cut times=1")
    assert heard.text.startswith("Partial text before the cut")
    if not stage.is_old:
        assert heard.text == "Partial text before the cutWhole at last."
        assert heard.completed["stop_reason"] == "end_turn"


async def test_a_refusal_the_token_limit_and_silence_are_ends_of_their_own_kind(stage: Stage, workspace: Path) -> None:
    reasons = {"SC:refusal": "refusal", "SC:maxtokens": "max_tokens", "SC:empty": "end_turn"}
    suffered = await _suffer(stage, workspace, reasons)
    assert {prompt: heard.completed["stop_reason"] for prompt, heard in suffered.items()} == reasons
    assert [heard.completed["error"] for heard in suffered.values()] == [None] * 3
    assert suffered["SC:refusal"].text.startswith("I cannot")
    assert suffered["SC:maxtokens"].text.startswith("Too long to")
    assert (suffered["SC:empty"].text, suffered["SC:empty"].completed["result"]) == ("", "")

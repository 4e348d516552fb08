"""The prompts of a session over the Agent Client Protocol, where they meet their cancellation."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest

from adapter.faces.acp.prompts import Prompt, PromptQueue
from tests.support.stepped_session import SOON_S, Gate

pytestmark = pytest.mark.anyio


async def test_a_prompt_that_is_cancelled_as_its_session_is_ready_never_reaches_the_agent() -> None:
    ready, answers = Gate(), list[str]()

    async def live() -> Any:
        await ready()
        return cast("Any", None)  # to submit anything to it would fail

    async def rest() -> None:
        return

    async def ask() -> None:
        answers.append(await queue.run("hello", prompt))

    queue, prompt = PromptQueue(live, rest, 9), Prompt()
    ready.shut()
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await ready.somebody()
            ready.open()
            queue.cancel()
    assert answers == ["cancelled"]

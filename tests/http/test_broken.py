"""Requests that fit no session are refused before one is started; found with schemathesis."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.config_http import HttpSettings
from adapter.faces.http.setup import build_config
from protocol.httperrors import HttpError
from protocol.wire.chat_api import read_chat_request
from protocol.wire.messages_api import read_messages_request


def asked(*content: Any, **more: Any) -> dict[str, Any]:
    return {"model": "x", "messages": [{"role": "user", "content": list(content)}], **more}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": ""}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "no base64!"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "AAAA"}},
        {"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}},
    ],
)
def test_an_image_that_would_spoil_the_conversation_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(HttpError, match=f"a broken {block['type']}: source") as caught:
        read_messages_request(asked(block))
    assert caught.value.failure.status == 400


def test_an_image_that_an_older_answer_was_about_is_not_looked_at_again() -> None:
    messages = asked({"type": "image", "source": {"type": ""}})["messages"]
    messages += [{"role": "assistant", "content": "I see."}, {"role": "user", "content": "And now?"}]
    assert read_messages_request({"model": "x", "messages": messages}).last.text == "And now?"


def test_an_image_of_the_other_apis_is_held_to_the_same() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AAAA"}}
    with pytest.raises(HttpError, match="media_type"):
        read_chat_request({"model": "x", "messages": [{"role": "user", "content": [part]}]})


def test_a_value_that_no_session_can_have_is_the_requests_fault() -> None:
    request = read_messages_request(asked({"type": "text", "text": "x"}, output_config={"effort": ""}))
    with pytest.raises(HttpError, match="effort") as caught:
        build_config(request, HttpSettings.model_validate({}), "/tmp")
    assert caught.value.failure.status == 400

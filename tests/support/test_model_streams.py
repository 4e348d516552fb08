"""Streams of the model server that wait, break or are given up, over plain HTTP: no CLI takes part here."""

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.model_client import TIMEOUT, ask, asked, body_of, events, prompt, said, text_of
from tests.support.model_server import ModelServer, wire


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.mark.parametrize("name", ["cut", "cutmid"])
def test_a_cut_stream_ends_without_its_proper_end(server: ModelServer, name: str) -> None:
    with asked(server, body_of(said(f"SC:{name}"))) as connection:
        response = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
    assert text_of(events(caught.value.partial)) == "Partial text before the cut"


def test_a_request_without_streaming_is_cut_as_well(server: ModelServer) -> None:
    body = body_of(said("SC:cutmid times=1 gate=g"), stream=False)
    server.release("g")
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, body)
    assert ask(server, body)[0] == 200


def test_a_dropped_connection_is_reset_without_an_answer(server: ModelServer) -> None:
    with pytest.raises(ConnectionResetError):
        ask(server, body_of(said("SC:drop")))


def test_a_broken_stream_waits_for_its_gate_so_that_the_test_sees_the_first_part(server: ModelServer) -> None:
    with asked(server, body_of(said("SC:badsse gate=g"))) as connection:
        response = connection.getresponse()
        server.wait_for_gate("g", TIMEOUT)
        server.release("g")
        assert b"data: {not json" in response.read()


def test_a_gate_holds_the_second_half_until_it_is_released(server: ModelServer) -> None:
    with asked(server, body_of(said("SC:gate here"))) as connection:
        response = connection.getresponse()
        server.wait_for_gate("here", TIMEOUT)
        first = b""
        while b"First half, " not in first:
            first += response.read1()
        assert server.open_streams == 1
        assert b"second half" not in first
        server.release("here")
        assert b"second half" in response.read()
    server.wait_for_open_streams(0, TIMEOUT)


def test_a_gate_that_is_open_already_holds_nobody(server: ModelServer) -> None:
    server.release("here")
    assert text_of(prompt(server, "SC:gate here")) == "First half, second half."


def test_gates_of_different_names_are_released_one_by_one(server: ModelServer) -> None:
    with asked(server, body_of(said("SC:gate a"))) as first, asked(server, body_of(said("SC:gate b"))) as second:
        server.wait_for_gate("a", TIMEOUT)
        server.wait_for_gate("b", TIMEOUT)
        server.release("b")
        assert b"second half" in second.getresponse().read()
        server.wait_for_open_streams(1, TIMEOUT)
        server.release("a")
        assert b"second half" in first.getresponse().read()


@pytest.mark.parametrize("name", ["hang", "hanghdr", "hangmid", "gate never", "slow 100000 ms=1000"])
def test_a_stream_ends_as_soon_as_its_client_leaves(server: ModelServer, name: str) -> None:
    with asked(server, body_of(said(f"SC:{name}"))):
        server.wait_for_open_streams(1, TIMEOUT)
    server.wait_for_open_streams(0, TIMEOUT)


def test_headers_come_at_once_when_only_the_events_hang(server: ModelServer) -> None:
    with asked(server, body_of(said("SC:hang"))) as connection:
        assert connection.getresponse().status == 200


def test_a_gate_nobody_releases_is_reported_when_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "GATE_SECONDS", 0.01)
    with pytest.raises(AssertionError, match="forgotten"), ModelServer() as server:  # noqa: PT012
        with asked(server, body_of(said("SC:gate forgotten"))) as connection, pytest.raises(http.client.IncompleteRead):
            connection.getresponse().read()
        server.wait_for_open_streams(0, TIMEOUT)


@pytest.mark.parametrize("directive", ["hang", "bigtext 30000000"])
def test_closing_ends_streams_whose_client_neither_reads_nor_leaves(directive: str) -> None:
    before = set(threading.enumerate())
    with ModelServer() as server, asked(server, body_of(said(f"SC:{directive}"))):
        server.wait_for_open_streams(1, TIMEOUT)
        server.close()
        assert server.open_streams == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), TIMEOUT)
    for thread in set(threading.enumerate()) - before:
        thread.join(TIMEOUT)
        assert not thread.is_alive()

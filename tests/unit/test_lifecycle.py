"""The machines of a session and of a turn: every pair of state and trigger, legal or not."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from protocol.errors import LocalProtocolError
from protocol.lifecycle import (
    SESSION_TRANSITIONS,
    TURN_TRANSITIONS,
    Machine,
    SessionState,
    SessionTrigger,
    TurnState,
    TurnTrigger,
    session_machine,
    turn_machine,
)

# Written out again by hand, on purpose: a changed table has to be changed twice.
SESSION = """
    starting  ready -> idle      turn -> .         rest -> .         stop -> stopping  end -> ended
    idle      ready -> .         turn -> busy      rest -> .         stop -> stopping  end -> ended
    busy      ready -> .         turn -> busy      rest -> idle      stop -> stopping  end -> .
    stopping  ready -> .         turn -> stopping  rest -> stopping  stop -> .         end -> ended
    ended     ready -> .         turn -> .         rest -> .         stop -> .         end -> .
"""
TURN = """
    waiting    deliver -> delivered  begin -> running  complete -> .
    delivered  deliver -> .          begin -> running  complete -> .
    running    deliver -> .          begin -> .        complete -> completed
    completed  deliver -> .          begin -> .        complete -> .
"""


def cells(picture: str) -> dict[tuple[str, str], str | None]:
    """(state, trigger) to the following state, None where there is no such edge."""
    table: dict[tuple[str, str], str | None] = {}
    for row in picture.strip().splitlines():
        state, *words = row.split()
        for trigger, _, following in zip(words[::3], words[1::3], words[2::3], strict=True):
            table[state, trigger] = None if following == "." else following
    return table


def test_the_pictures_show_every_pair() -> None:
    assert set(cells(SESSION)) == set(product(SessionState, SessionTrigger))
    assert set(cells(TURN)) == set(product(TurnState, TurnTrigger))


@pytest.mark.parametrize(("pair", "following"), cells(SESSION).items(), ids=str)
def test_every_edge_of_a_session_is_as_drawn(pair: tuple[str, str], following: str | None) -> None:
    check(Machine(SESSION_TRANSITIONS, SessionState(pair[0])), SessionTrigger(pair[1]), following)


@pytest.mark.parametrize(("pair", "following"), cells(TURN).items(), ids=str)
def test_every_edge_of_a_turn_is_as_drawn(pair: tuple[str, str], following: str | None) -> None:
    check(Machine(TURN_TRANSITIONS, TurnState(pair[0])), TurnTrigger(pair[1]), following)


def check(machine: Machine[Any, Any], trigger: Any, following: str | None) -> None:
    before = machine.state
    assert machine.allows(trigger) is (following is not None)
    if following is None:
        with pytest.raises(LocalProtocolError, match=f"{before} by {trigger}"):
            machine.fire(trigger)
        assert machine.state is before
    else:
        assert machine.fire(trigger) == following
        assert machine.state == following


def test_a_session_begins_starting_and_a_turn_waiting() -> None:
    assert session_machine().state is SessionState.STARTING
    assert turn_machine().state is TurnState.WAITING


def test_two_machines_of_one_table_do_not_share_their_state() -> None:
    one, other = turn_machine(), turn_machine()
    one.fire(TurnTrigger.BEGIN)
    assert other.state is TurnState.WAITING

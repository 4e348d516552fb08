"""The machines of sessions and turns, under any sequence of triggers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.lifecycle import (
    SESSION_TRANSITIONS,
    TURN_TRANSITIONS,
    SessionState,
    SessionTrigger,
    TurnState,
    TurnTrigger,
    session_machine,
    turn_machine,
)


@given(st.lists(st.sampled_from(SessionTrigger), max_size=30))
def test_a_session_never_leaves_its_table(triggers: list[SessionTrigger]) -> None:
    machine = session_machine()
    ended = stopped = False
    for trigger in triggers:
        before = machine.state
        if machine.allows(trigger):
            assert machine.fire(trigger) is machine.state is SESSION_TRANSITIONS[before, trigger]
        else:
            with pytest.raises(LocalProtocolError):
                machine.fire(trigger)
            assert machine.state is before
        assert not (ended and machine.state is not SessionState.ENDED), "the end is final"
        assert not (stopped and machine.state in (SessionState.IDLE, SessionState.BUSY)), "a stop is never taken back"
        ended, stopped = machine.state is SessionState.ENDED, machine.state is SessionState.STOPPING


@given(st.lists(st.sampled_from(TurnTrigger), max_size=12))
def test_a_turn_never_leaves_its_table_and_completes_once(triggers: list[TurnTrigger]) -> None:
    machine = turn_machine()
    delivered = completed = 0
    for trigger in triggers:
        before = machine.state
        if machine.allows(trigger):
            assert machine.fire(trigger) is TURN_TRANSITIONS[before, trigger]
            delivered += trigger is TurnTrigger.DELIVER
            completed += trigger is TurnTrigger.COMPLETE
        else:
            with pytest.raises(LocalProtocolError):
                machine.fire(trigger)
            assert machine.state is before
    assert delivered <= 1, "a message is never sent twice"
    assert completed == (machine.state is TurnState.COMPLETED)

"""Stopping children for good: identity, marks, the stop ladder and the sweep, with real processes."""

import os
import signal
import subprocess
from pathlib import Path

import anyio
import pytest

from adapter.process.containment import StopLimits, StopStep, split_returncode, stop, sweep
from adapter.process.identity import (
    MARK_VARIABLE,
    ProcessId,
    descendants,
    identify,
    is_alive,
    marked,
    new_daemon_id,
    new_mark,
    send_signal,
    strike,
)
from tests.support.proc_target import family, gone_within, must_identify

pytestmark = [pytest.mark.anyio, pytest.mark.spec("10.3"), pytest.mark.spec("10.4")]

ENOUGH_S = 8.0
"""Seconds that a whole ladder of the limits below gets before a test calls it stuck."""

SHORT = StopLimits(interrupt_s=0.3, stdin_close_s=0.3, idle_close_s=0.3, sigint_s=0.3, kill_s=2, sweep_s=2)
ROOMY = StopLimits(polite_s=120, interrupt_s=60, stdin_close_s=60, idle_close_s=60, sigint_s=60, kill_s=2, sweep_s=2)

ESCAPES = ["child", "setsid", "double", "scrubbed", "hidden", "restless", "trap"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_idle_child_leaves_at_the_end_of_its_stdin_and_gets_no_signal() -> None:
    async with family("eof") as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=False, limits=ROOMY)
    assert (report.exit_code, report.signal) == (0, None)
    assert [each.step for each in report.steps] == [StopStep.CLOSE_STDIN, StopStep.SWEEP]
    assert (report.swept, report.remaining) == ((), ())
    assert target.calls == ["close_stdin"]


async def test_a_running_turn_is_interrupted_before_stdin_is_closed() -> None:
    async with family("eof") as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=True, limits=ROOMY)
    assert target.calls == ["interrupt_turn", "close_stdin"]
    assert [each.step for each in report.steps] == [StopStep.INTERRUPT, StopStep.CLOSE_STDIN, StopStep.SWEEP]


async def test_an_interrupt_that_is_never_answered_costs_its_limit_and_no_more() -> None:
    async with family("eof", on_interrupt=anyio.sleep_forever) as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=True, limits=SHORT)
    interrupt = report.steps[0]
    assert (interrupt.step, interrupt.timed_out) == (StopStep.INTERRUPT, True)
    assert report.exit_code == 0


async def test_an_interrupt_that_fails_is_reported_and_the_ladder_goes_on() -> None:
    async def fail() -> None:
        raise BrokenPipeError("nobody reads")

    async with family("eof", on_interrupt=fail) as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=True, limits=ROOMY)
    assert report.steps[0].error == "BrokenPipeError: nobody reads"
    assert report.exit_code == 0


async def test_a_child_that_ignores_the_end_of_stdin_gets_sigint_and_leaves_in_its_own_way() -> None:
    async with family("int") as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=False, limits=StopLimits(idle_close_s=0.1))
    assert (report.exit_code, report.signal) == (7, None)
    assert [each.step for each in report.steps] == [StopStep.CLOSE_STDIN, StopStep.SIGINT, StopStep.SWEEP]


async def test_the_fast_limits_begin_with_sigint() -> None:
    async with family("int") as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=True, limits=StopLimits.fast())
    assert report.exit_code == 7
    assert target.calls == []
    assert [each.step for each in report.steps] == [StopStep.SIGINT, StopStep.SWEEP]


async def test_a_child_that_ignores_sigint_and_sigterm_is_killed() -> None:
    async with family("stubborn") as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=True, limits=SHORT)
    assert (report.exit_code, report.signal) == (None, "SIGKILL")
    assert [each.step for each in report.steps][-3:] == [StopStep.SIGINT, StopStep.KILL, StopStep.SWEEP]
    assert report.remaining == ()


async def test_the_polite_steps_together_take_no_longer_than_their_common_limit() -> None:
    patient = StopLimits(polite_s=0.4, interrupt_s=60, stdin_close_s=60, sigint_s=60, kill_s=2, sweep_s=2)
    async with family("stubborn", on_interrupt=anyio.sleep_forever) as target:
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=True, limits=patient)
    assert report.signal == "SIGKILL"
    assert [each.step for each in report.steps] == [StopStep.INTERRUPT, StopStep.KILL, StopStep.SWEEP]


async def test_a_stopped_child_is_woken_and_leaves_politely() -> None:
    async with family("eof") as target:
        assert send_signal(target.identity, signal.SIGSTOP)
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=False, limits=ROOMY)
    assert report.exit_code == 0


@pytest.mark.parametrize("reaction", ["eof", "stubborn"])
@pytest.mark.parametrize("kind", ESCAPES)
async def test_nothing_that_the_child_started_outlives_it(reaction: str, kind: str) -> None:
    async with family(reaction, kind) as target:
        assert is_alive(target.members[kind])
        with anyio.fail_after(ENOUGH_S):
            report = await stop(target, turn_running=False, limits=SHORT)
        assert report.remaining == ()
        assert marked(target.mark) == []
        await gone_within(1.0, target.everyone)


async def test_a_child_that_has_exited_before_still_has_its_strays_swept() -> None:
    async with family("int", "double", "setsid") as target:
        send_signal(target.identity, signal.SIGKILL)
        with anyio.fail_after(ENOUGH_S):
            await target.wait_exit()
            report = await stop(target, turn_running=True, limits=ROOMY)
        assert [each.step for each in report.steps] == [StopStep.SWEEP]
        assert report.signal == "SIGKILL"
        assert sorted(report.swept) == sorted(process.pid for process in target.members.values())
        await gone_within(1.0, target.everyone)


async def test_cancelling_a_stop_does_not_cut_it_short() -> None:
    asked = anyio.Event()
    answered = anyio.Event()

    async def answer_late() -> None:
        asked.set()
        await answered.wait()

    async with family("stubborn", "double", on_interrupt=answer_late) as target:
        with anyio.fail_after(ENOUGH_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: stop(target, turn_running=True, limits=SHORT))
                await asked.wait()
                tasks.cancel_scope.cancel()
        assert target.returncode == -signal.SIGKILL
        await gone_within(1.0, target.everyone)


async def test_two_stops_at_once_are_one_stop_with_one_report() -> None:
    reports = []

    async def run(target: object) -> None:
        reports.append(await stop(target, turn_running=True, limits=SHORT))  # type: ignore[arg-type]

    async with family("stubborn") as target:
        with anyio.fail_after(ENOUGH_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run, target)
                tasks.start_soon(run, target)
    assert reports[0] is reports[1]
    assert target.calls == ["interrupt_turn", "close_stdin"]


async def test_a_second_stop_in_a_hurry_speeds_up_the_first() -> None:
    asked = anyio.Event()

    async def never_answer() -> None:
        asked.set()
        await anyio.sleep_forever()

    async with family("stubborn", on_interrupt=never_answer) as target:
        with anyio.fail_after(ENOUGH_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: stop(target, turn_running=True, limits=ROOMY))
                await asked.wait()
                report = await stop(target, turn_running=True, limits=StopLimits.fast())
    assert report.signal == "SIGKILL"
    assert target.calls == ["interrupt_turn"]


async def test_stopping_again_after_the_end_finds_nothing_to_do() -> None:
    async with family("eof") as target:
        with anyio.fail_after(ENOUGH_S):
            first = await stop(target, turn_running=False)
            second = await stop(target, turn_running=False)
    assert second.exit_code == first.exit_code == 0
    assert [each.step for each in second.steps] == [StopStep.SWEEP]


async def test_the_marks_of_two_daemons_never_touch_each_other() -> None:
    ours, theirs = new_daemon_id(), new_daemon_id()
    async with (
        family("int", "double", mark=new_mark(ours)) as first,
        family("int", "double", mark=new_mark(ours)) as second,
        family("int", "double", mark=new_mark(theirs)) as foreign,
    ):
        assert {process.pid for process in await sweep(first.mark)} == {process.pid for process in first.everyone}
        assert all(map(is_alive, second.everyone))
        await sweep(ours)
        await gone_within(1.0, [*first.everyone, *second.everyone])
        assert all(map(is_alive, foreign.everyone))


async def test_half_a_mark_finds_nothing_and_an_empty_one_is_refused() -> None:
    async with family("int") as target:
        daemon_id = target.mark.partition(".")[0]
        assert target.identity in marked(daemon_id)
        assert marked(daemon_id[:-1]) == []
        assert marked(target.mark[:-1]) == []
        for empty in ("", "."):
            with pytest.raises(ValueError, match="every daemon"):
                marked(empty)


def test_a_mark_among_the_arguments_or_in_another_variable_does_not_count() -> None:
    mark = new_mark(new_daemon_id())
    decoy = f"{MARK_VARIABLE}={mark}"
    environment = {"PATH": os.defpath, "NOTE": decoy, f"X{decoy}".partition("=")[0]: mark}
    with subprocess.Popen(["sh", "-c", "read line", decoy], stdin=subprocess.PIPE, env=environment) as other:
        try:
            assert marked(mark) == []
        finally:
            other.kill()


async def test_a_pid_with_another_start_time_is_never_signalled() -> None:
    async with family("int") as target:
        reused = ProcessId(target.pid, target.identity.started - 1)
        assert not is_alive(reused)
        assert not send_signal(reused, signal.SIGKILL)
        assert descendants(reused) == []
        assert reused not in strike(new_mark(new_daemon_id()), [reused])
        assert is_alive(target.identity)


def test_neither_ourselves_nor_process_one_is_ever_signalled() -> None:
    for pid in (os.getpid(), 1):
        assert not send_signal(must_identify(pid), signal.SIGCONT)


def test_a_zombie_counts_as_dead_and_a_process_that_is_gone_has_no_identity() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = must_identify(child.pid)
    assert not is_alive(zombie)
    assert not send_signal(zombie, signal.SIGKILL)
    assert zombie not in descendants(must_identify(os.getpid()))
    child.wait()
    assert identify(child.pid) is None


def test_a_program_with_blanks_and_parentheses_in_its_name_is_told_apart_like_any_other(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "300"]) as child:
        try:
            process = must_identify(child.pid)
            assert is_alive(process)
            assert process in descendants(must_identify(os.getpid()))
        finally:
            child.kill()


def test_a_return_code_is_either_an_exit_code_or_a_signal() -> None:
    assert split_returncode(None) == (None, None)
    assert split_returncode(3) == (3, None)
    assert split_returncode(-9) == (None, "SIGKILL")
    assert split_returncode(-99) == (None, "SIG99")

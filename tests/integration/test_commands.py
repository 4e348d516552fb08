"""The subcommands, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from adapter.commands.doctor import check_folder
from tests.support.daemon import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MOCK = str(ROOT / "mock_clis" / "claude")


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapter", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_a_healthy_set_up_passes_the_doctor(tmp_path: Path) -> None:
    done = run("doctor", "--claude-path", MOCK, "--state-dir", str(tmp_path / "state"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert done.stderr == ""


@pytest.mark.spec("12.3")
def test_the_doctor_answers_programs_in_json(tmp_path: Path) -> None:
    done = run("doctor", "--json", "--claude-path", MOCK, "--state-dir", str(tmp_path / "state"))
    report = json.loads(done.stdout)
    assert report["healthy"] is True
    found = {(check["subject"], check["check"]) for check in report["checks"]}
    assert found >= {
        ("claude", "CLI found"),
        ("claude", "version"),
        ("claude", "logged in"),
        ("claude", "billing"),
        ("environment", "nested run"),
        ("working folder", "writable"),
        ("state folder", "healthy"),
        ("processes", "orphans"),
    }


def test_each_failing_line_of_the_doctor_says_what_to_do(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("not a folder")
    for arguments, env in (
        (("--claude-path", "/nowhere/claude"), {}),
        (("--claude-path", "/bin/false"), {}),
        (("--claude-path", MOCK), {"MOCK_CLAUDE_LOGGED_IN": "0"}),
    ):
        done = run("doctor", "--json", "--state-dir", str(state), *arguments, env=env)
        assert done.returncode == 1
        failing = [check for check in json.loads(done.stdout)["checks"] if check["ok"] is False]
        assert len(failing) == 2, failing
        assert all(check["hint"] for check in failing), failing


def test_variables_of_a_cli_around_us_are_named_and_harmless(tmp_path: Path) -> None:
    done = run("doctor", "--claude-path", MOCK, "--state-dir", str(tmp_path / "s"), env={"CLAUDECODE": "1"})
    assert done.returncode == 0
    assert "CLAUDECODE: taken out" in done.stdout


def test_an_empty_ledger_lists_no_sessions_and_has_nothing_to_clean(tmp_path: Path) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    assert run("sessions", *state).stdout == "No sessions.\n"
    assert json.loads(run("sessions", "--json", *state).stdout) == []
    assert run("sessions", "clean", *state).stdout == "Nothing was left.\n"
    (tmp_path / "file").touch()
    unusable = run("sessions", "clean", "--state-dir", str(tmp_path / "file"))
    assert (unusable.returncode, unusable.stdout) == (1, "")
    assert "doctor" in unusable.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_an_end_of_input_and_nothing_worse(tmp_path: Path, closed: str) -> None:
    command = f"exec {sys.executable} -m adapter --claude-path {MOCK} --state-dir {tmp_path} {closed}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_working_folder_that_is_gone_is_no_crash_of_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    check = check_folder()
    assert (check.ok, "gone" in check.detail) == (False, True)


@pytest.mark.spec("10.2")
def test_a_wrong_command_line_is_told_on_stderr_with_exit_code_2(tmp_path: Path) -> None:
    for arguments in (("bogus",), ("--idle-timeout", "soon"), ("--config", str(tmp_path / "none.toml")), ("--nope",)):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert done.stdout == ""
        assert "agent-adapter" in done.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("agent-adapter ")


def test_a_login_without_a_cli_says_what_to_do() -> None:
    done = run("acp", "login", "--claude-path", "/nowhere/claude")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such program. Correct claude_path" in done.stderr

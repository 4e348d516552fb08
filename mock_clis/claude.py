"""The command: ``python -m mock_clis.claude`` or the executable file ``mock_clis/claude``.

Owns: what is decided before a scenario is played: version, login state, refused command lines; and the exit codes
2 (the scenario has a mistake) and 3 (the parent said something unexpected).
Refuses: the dialect itself, which is in ``player`` and ``turn``.
May be imported by: nobody; it is run.
"""

from __future__ import annotations

import json
import signal
import sys

from mock_clis import flags as command_line
from mock_clis.dialect import VERSION, is_logged_in
from mock_clis.endings import Stopped, Unexpected
from mock_clis.flags import Flags, Refused
from mock_clis.player import Player
from mock_clis.scenario import Scenario, ScenarioError, load, shipped
from mock_clis.streams import Streams

EXIT_REFUSED = 1
EXIT_BAD_SCENARIO = 2
EXIT_UNEXPECTED = 3
HELP = """A stand-in for Claude Code that plays a JSON scenario; it takes the real flags and adds one.

  claude --scenario NAME|FILE.json|RECORDING.jsonl --input-format stream-json --output-format stream-json --verbose …
  claude --version
  claude auth status [--text]

Environment: MOCK_CLAUDE_SCENARIO, MOCK_CLAUDE_LOGGED_IN (0 or 1), MOCK_CLAUDE_DELTA_MS.
Shipped scenarios: """


def main(arguments: list[str]) -> int:
    """Run the mock; returns the exit code, or never returns once a scenario is being played."""
    # Until the streams have their own handler, SIGINT must end the mock without a traceback, as it ends the real CLI.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        flags = command_line.parse(arguments)
        if flags.on("help"):
            print(HELP + ", ".join(shipped()))
            return 0
        scenario = load(flags.scenario)
        if flags.on("version"):
            print(f"{scenario.settings.get('version', VERSION)} (Claude Code mock)")
            return 0
        if flags.words[:2] == ["auth", "status"]:
            return _auth_status(flags, scenario)
        command_line.check(flags)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return EXIT_REFUSED
    except ScenarioError as error:
        print(f"mock claude: mistake in the scenario: {error}", file=sys.stderr)
        return EXIT_BAD_SCENARIO
    return _play(scenario, flags)


def _auth_status(flags: Flags, scenario: Scenario) -> int:
    logged_in = is_logged_in(scenario.settings)
    status = {"loggedIn": logged_in, "authMethod": "api_key" if logged_in else "none", "apiProvider": "firstParty"}
    if logged_in:
        status["apiKeySource"] = "ANTHROPIC_API_KEY"
    if flags.on("text"):
        print("Logged in (mock)" if logged_in else "Not logged in. Run claude auth login to authenticate.")
    else:
        print(json.dumps(status, indent=2))
    return 0 if logged_in else EXIT_REFUSED


def _play(scenario: Scenario, flags: Flags) -> int:
    streams = Streams()
    player = Player(scenario, flags, streams)
    resumed = flags.text("resume")
    try:
        if resumed and scenario.settings.get("resume") == "refuse":
            _refuse_resume(player, resumed)
        player.play()
        return 0
    except Stopped as stopped:
        if stopped.words:
            streams.complain(stopped.words)
        player.finish(stopped.code)
    except Unexpected as unexpected:
        streams.complain(f"mock claude: {unexpected}")
        player.finish(EXIT_UNEXPECTED)
    except ScenarioError as error:
        streams.complain(f"mock claude: mistake in the scenario: {scenario.name}: {error}")
        player.finish(EXIT_BAD_SCENARIO)


def _refuse_resume(player: Player, resumed: str) -> None:
    """Answer a resume of something unknown as claude 2.1.329 does: one result, one line on stderr, exit code 1."""
    words, session = f"No conversation found with session ID: {resumed}", player.session
    player.streams.complain(words)
    player.emit({
        "type": "result", "subtype": "error_during_execution", "duration_ms": 0, "duration_api_ms": 0, "is_error": True,
        "num_turns": 0, "stop_reason": None, "session_id": resumed, "total_cost_usd": 0, "permission_denials": [],
        "uuid": session.session_id, "errors": [words], "result_index": 0,
    })  # fmt: skip
    raise Stopped(EXIT_REFUSED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

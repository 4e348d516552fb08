"""A parent of agent-adapter, start to end: what an editor's plugin or a script of yours would do, on one page.

It spawns the daemon, asks which providers are there, starts a session, sends a message, answers what the agent asks
permission for, and shuts down. Written from the wire contract (SPEC.md) alone; nothing of the daemon's is imported.
`link.py` beside it is the JSON-RPC half, `screen.py` the look. Owns: the story. Refuses: to keep anything.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from link import Link, LinkError, Message, RpcError, open_link
from screen import Screen, compact

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

PROVIDER = "claude"
DEFAULT_MESSAGE = (
    "Use your shell tool to run the command `echo hello from the agent`, then tell me in one sentence what it printed."
)

ANSWER_TIMEOUT_S = 30.0  # for what the daemon can answer by itself
HEALTH_TIMEOUT_S = 60.0  # it runs each provider's command line, which may start slowly the first time
START_TIMEOUT_S = 90.0  # until the CLI is up and has answered its handshake
TURN_TIMEOUT_S = 300.0  # one message until its `turn_completed`
STOP_TIMEOUT_S = 30.0  # the daemon lets the CLI leave in good order before it insists
QUESTION_TIMEOUT_S = 120.0  # for the person at the terminal; no answer is a no


def settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


class Conversation:
    """The parent's side of the link: keeps what it waits for, and shows everything."""

    def __init__(self, screen: Screen, *, is_mock: bool) -> None:
        self._screen = screen
        self._is_mock = is_mock
        self._turns: dict[str, asyncio.Future[Message]] = {}
        self._tools: dict[str, str] = {}  # the name behind a tool_call_id
        self._one_question = asyncio.Lock()  # several may be open at once, but there is one keyboard
        self.ended: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def turn(self, turn_id: str) -> asyncio.Future[Message]:
        """Holds the turn's `turn_completed` event once it has come."""
        return self._turns.setdefault(turn_id, asyncio.get_running_loop().create_future())

    def traffic(self, direction: str, message: Message) -> None:
        self._screen.traffic(direction, message)

    def notification(self, method: str, params: Message) -> None:
        """Everything about a session comes as `event`. Types that a parent does not know are to be passed over."""
        if method != "event":
            return
        event = params["event"]
        match event["type"]:
            case "message" if event.get("role") == "assistant":
                for block in event["content"]:
                    if block.get("type") == "text":
                        self._screen.say("Agent", block["text"])
            case "tool_call_started":
                self._tools[event["tool_call_id"]] = event["name"]
            case "tool_call_input":
                self._screen.say("Tool", f"{self._tools.get(event['tool_call_id'])} {compact(event['input'])}")
            case "notice":
                self._screen.say("Notice", event["message"])
            case "turn_completed":
                settle(self.turn(params["turn_id"]), event)
            case "session_ended":
                settle(self.ended, event)

    async def request(self, method: str, params: Message) -> Message:
        """The one request that the daemon has for us: may the agent do this?"""
        if method != "request_permission":
            raise NotImplementedError
        name = params["tool_name"]
        self._screen.say("Asks", f"{params.get('title') or name} {compact(params['input'])}")
        if params.get("kind") in ("question", "plan"):
            return self._decide("deny", "this example has no dialogue for the agent's own questions")
        if sys.stdin.isatty():
            try:
                async with self._one_question:
                    is_yes = await self._ask_person(f"Allow {name}? [y/N] ")
            except asyncio.CancelledError:
                print()
                self._screen.say("Asks", "no longer: the question was taken back")
                raise
            return self._decide("allow" if is_yes else "deny", "that is what you said")
        if self._is_mock:
            return self._decide("allow", "nobody is at the keyboard, but the mock CLI only pretends to run it")
        return self._decide("deny", "nobody is at the keyboard to ask")

    def _decide(self, outcome: str, reason: str) -> Message:
        self._screen.say("You", f"{outcome}: {reason}")
        return {"outcome": outcome} if outcome == "allow" else {"outcome": outcome, "message": reason}

    async def _ask_person(self, question: str) -> bool:
        """Waits for a line without a thread, so that the daemon can take its question back in the meantime."""
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()
        loop.add_reader(sys.stdin, lambda: settle(line, sys.stdin.readline()))
        print(question, end="", flush=True)
        try:
            return (await asyncio.wait_for(line, QUESTION_TIMEOUT_S)).strip().lower() in ("y", "yes")
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(sys.stdin)


async def converse(link: Link, conversation: Conversation, screen: Screen, message: str, turn_timeout_s: float) -> None:
    """Start a session, have one turn, stop the session. Raises RpcError and LinkError."""
    with tempfile.TemporaryDirectory(prefix="agent-adapter-example-", ignore_cleanup_errors=True) as folder:
        screen.step("Starting a session in a folder of its own")
        config = {"working_dir": folder, "runtime_mode": "supervised"}
        session = await link.request(
            "start_session", {"provider": PROVIDER, "config": config}, timeout_s=START_TIMEOUT_S
        )
        session_id = {"session_id": session["session_id"]}

        screen.step("Sending a message; the answer comes as events")
        screen.say("You", message)
        accepted = await link.request("send_message", {**session_id, "message": message}, timeout_s=ANSWER_TIMEOUT_S)
        turn = await link.wait_for(conversation.turn(accepted["turn_id"]), "the turn", timeout_s=turn_timeout_s)
        if turn.get("is_error"):
            raise LinkError(f"the turn failed: {(turn.get('error') or {}).get('message') or turn.get('stop_reason')}")
        cost = f", {turn['cost_usd']:.4f} USD" if turn.get("cost_usd") is not None else ""
        screen.say("Turn", f"{turn['stop_reason']} after {(turn.get('duration_ms') or 0) / 1000:.1f} s{cost}")

        screen.step("Stopping the session, then the daemon")
        await link.request("stop_session", session_id, timeout_s=STOP_TIMEOUT_S)
        await link.wait_for(conversation.ended, "session_ended", timeout_s=ANSWER_TIMEOUT_S)


def why_unusable(health: Message, *, insist: bool) -> str | None:
    """The reason not to use a provider, from its health result; None when it is ready. To insist is to take a maybe."""
    if not health.get("is_available"):
        return health.get("error") or "it is not installed"
    name = f"{health.get('cli_path') or PROVIDER} {health.get('version') or ''}".strip()
    if health.get("authenticated") is None:
        return None if insist else f"{name} is installed, but whether it is logged in cannot be told"
    return None if health["authenticated"] else f"{name} is installed, but not logged in: run it, then /login"


async def drive(arguments: argparse.Namespace, screen: Screen, mock: Path | None) -> str | None:
    """The whole life of one daemon. Returns why the real CLI cannot be used, or None when all went well."""
    environment = dict(os.environ)
    if mock:
        environment["AGENT_ADAPTER_CLAUDE_PATH"] = str(mock)
    conversation = Conversation(screen, is_mock=mock is not None)
    screen.step("Spawning the daemon, as an editor would: " + shlex.join(arguments.command))
    async with open_link(arguments.command, environment, conversation) as link:
        try:
            hello = {"client_info": {"name": "example-parent", "version": "1"}, "protocol_version": 1}
            await link.request("initialize", hello, timeout_s=ANSWER_TIMEOUT_S)
            listed = await link.request("list_providers", timeout_s=HEALTH_TIMEOUT_S)
            health = {entry["provider"]: entry for entry in listed["providers"]}.get(PROVIDER, {})
            unusable = why_unusable(health, insist=arguments.cli == "real")
            if unusable is None:
                screen.say("Using", f"{'the bundled mock' if mock else 'the real'} CLI, {health.get('cli_path')}")
                await converse(link, conversation, screen, arguments.message, arguments.turn_timeout)
            await link.request("shutdown", timeout_s=STOP_TIMEOUT_S)
            code = await link.close()
        except (LinkError, RpcError):
            code = await link.close()  # before the log is shown, so that it holds the daemon's last words
            for line in link.log_tail:
                screen.say("Log", line)
            screen.say("Daemon", f"gone, exit code {code}")
            raise
    if code != 0:
        raise LinkError(f"the daemon ended with exit code {code}, not 0")
    screen.say("Daemon", "gone, exit code 0")
    return unusable


def bundled_mock() -> Path:
    """The mock CLI that comes with agent-adapter. Raises LinkError when it does not."""
    package = importlib.util.find_spec("mock_clis")
    folder = Path(package.origin).parent if package and package.origin else Path(__file__).parents[1] / "mock_clis"
    if not (folder / PROVIDER).is_file():
        raise LinkError(f"there is no mock CLI at {folder / PROVIDER}")
    return folder / PROVIDER


async def tell_story(arguments: argparse.Namespace, screen: Screen) -> None:
    """The real CLI where it is ready (or asked for), else the mock. Raises RpcError and LinkError."""
    if arguments.cli != "mock":
        unusable = await drive(arguments, screen, None)
        if unusable is None:
            return
        if arguments.cli == "real":
            raise LinkError(f"no real CLI to drive: {unusable}")
        screen.step(f"Not with the real CLI: {unusable}\nWith the bundled mock CLI instead, which costs nothing.")
    else:
        screen.step("With the bundled mock CLI, as asked: no account, no tokens.")
    if unusable := await drive(arguments, screen, bundled_mock()):
        raise LinkError(f"the bundled mock CLI cannot be used: {unusable}")


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Have one conversation through agent-adapter, and show its traffic.")
    parser.add_argument("message", nargs="?", default=DEFAULT_MESSAGE, help="what to say to the agent")
    parser.add_argument("--cli", choices=("auto", "mock", "real"), default="auto", help="which CLI to drive (auto)")
    parser.add_argument(
        "--command",
        type=shlex.split,
        default=[sys.executable, "-m", "adapter"],
        help="how to start the daemon, as one shell-quoted string",
    )
    parser.add_argument(
        "--turn-timeout", type=float, default=TURN_TIMEOUT_S, metavar="SECONDS", help="give a turn up after so long"
    )
    return parser.parse_args(words)


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show an arrow shows "?"
    arguments, screen = parse_arguments(), Screen()
    try:
        asyncio.run(tell_story(arguments, screen))
    except RpcError as error:
        screen.failure(f"\nfailed: {error}" + (f"\nhint: {error.data['hint']}" if error.data.get("hint") else ""))
        return 1
    except LinkError as error:
        screen.failure(f"\nfailed: {error}")
        return 1
    except KeyboardInterrupt:
        screen.failure("\ninterrupted; the daemon is gone too")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output is gone
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The scenarios: each directive's answer as a list of steps.

Owns what the pretended model says. Pure: a scenario sees a `Conversation` and an attempt number and nothing else.
Only this package imports it; tests may look at `SCENARIOS` for the names.
"""

import json
from collections.abc import Callable
from typing import Any

from .prompts import Conversation, Directive
from .steps import Cut, EndBlock, Fail, Gate, Hang, Pause, Raw, Step, Stop, Text, Thinking, Tool

HELLO = ("Hello ", "there, ", "friend.")
UNICODE = "Grüße, 世界! \U0001f469‍\U0001f680 e\u0301 \u2028 \u200f\u05e9\u05dc\u05d5\u05dd \ufeff \U0001d11e."
PLAN = "# The plan\n\n1. Look around.\n2. Change one file.\n"
QUESTION = {
    "question": "Which color?",
    "header": "Color",
    "multiSelect": False,
    "options": [
        {"label": "Red", "description": "Like a rose"},
        {"label": "Blue", "description": "Like the sea"},
    ],
}
SLOW_WORD_SECONDS = 0.05
# A client that finds a broken stream in the same read as its last events drops those (claude 2.1.x does, in most runs).
BREAK_SECONDS = 0.2

Scenario = Callable[[Conversation, Directive, int], list[Step]]
SCENARIOS: dict[str, Scenario] = {}
"""Directive name to scenario; the third argument counts the requests of this prompt and step, 1 for the first."""


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under its function's name."""
    SCENARIOS[function.__name__] = function
    return function


def answer(talk: Conversation, attempt: int) -> list[Step]:
    """The steps for a request; a prompt without a known directive, or news of a task, gets a plain text."""
    directive = talk.directive
    if talk.notified:
        return [Text("Background news noted.")]
    if directive is None or directive.name not in SCENARIOS:
        return [Text("A plain answer.")]
    return SCENARIOS[directive.name](talk, directive, attempt)


def _tools_then(talk: Conversation, closing: str, *tools: Tool) -> list[Step]:
    return [Text(closing)] if talk.rounds else [*tools]


def _bash(command: str, **more: Any) -> Tool:
    return Tool("Bash", {"command": command, "description": "Run a command", **more})


def _seen(directive: Directive) -> Step:
    """Let the client see what was sent before the stream breaks: until the gate of `gate=`, or for a little while."""
    name = directive.options().get("gate")
    return Gate(name) if name else Pause(BREAK_SECONDS)


@scenario
def hello(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`hello`: three text deltas."""
    return [Text(part) for part in HELLO]


@scenario
def two(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`two`: another text, to tell a second turn from the first."""
    return [Text("Second "), Text("answer.")]


@scenario
def echo(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`echo`: how many prompts the request held, and the first of them: proof that the context was kept."""
    return [Text(f"history: {len(talk.prompts)} user messages; first: {talk.prompts[0]}")]


@scenario
def think(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`think`: two thinking deltas, then two text deltas."""
    return [Thinking("Let me "), Thinking("think."), Text("Thought "), Text("through.")]


@scenario
def slow(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`slow [WORDS=100] [ms=50]`: a word at a time."""
    pause = Pause(directive.option("ms", int(SLOW_WORD_SECONDS * 1000)) / 1000)
    return [step for n in range(directive.number(0, 100)) for step in (Text(f"word{n} "), pause)]


@scenario
def gate(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`gate NAME`: the first half of a text, then nothing until `release(NAME)`, then the other half."""
    return [Text("First half, "), Gate(directive.args), Text("second half.")]


@scenario
def thinkgate(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`thinkgate NAME`: as `gate`, but it waits in the middle of the thinking."""
    return [Thinking("Half a "), Gate(directive.args), Thinking("thought."), Text("Thought through.")]


@scenario
def bigtext(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`bigtext BYTES [deltas=1]`: one text of so many ASCII bytes."""
    size, count = directive.number(0, 1_000_000), max(1, directive.option("deltas", 1))
    return [Text("x" * (size // count + (n < size % count))) for n in range(count)]


@scenario
def unicode(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`unicode`: many scripts, combining marks, a line separator, a byte order mark; a delta per character."""
    return [Text(character) for character in UNICODE]


@scenario
def bash(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`bash COMMAND`: the Bash tool, then a closing text."""
    return _tools_then(talk, "Command finished.", _bash(directive.args))


@scenario
def bashbg(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`bashbg COMMAND`: the Bash tool in the background, then a closing text."""
    return _tools_then(talk, "Started in the background.", _bash(directive.args, run_in_background=True))


@scenario
def saybash(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`saybash COMMAND`: text before the tool call, in the same message, and after it."""
    return [Text("Done.")] if talk.rounds else [Text("I will "), Text("run it."), _bash(directive.args)]


@scenario
def write(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`write PATH`: the Write tool, then a closing text."""
    return _tools_then(talk, "File written.", Tool("Write", {"file_path": directive.args, "content": "written\n"}))


@scenario
def read(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`read PATH`: the Read tool, then a closing text."""
    return _tools_then(talk, "File read.", Tool("Read", {"file_path": directive.args}))


@scenario
def parallel(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`parallel [COMMAND | COMMAND …]`: as many Bash calls in one message, then a closing text."""
    commands = [part.strip() for part in directive.args.split(" | ") if part.strip()] or ["echo one", "echo two"]
    return _tools_then(talk, "All finished.", *[_bash(command) for command in commands])


@scenario
def parallelread(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`parallelread PATH PATH …`: as many Read calls in one message; outside the folder all are asked for at once."""
    return _tools_then(talk, "All read.", *[Tool("Read", {"file_path": path}) for path in directive.args.split()])


@scenario
def tool(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`tool NAME JSON`: any tool with any input, then its result repeated."""
    name, _, given = directive.args.partition(" ")
    return [Text(f"Tool said: {talk.result_text}")] if talk.rounds else [Tool(name, json.loads(given or "{}"))]


@scenario
def tools(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`tools [[NAME, INPUT], …]`: any tools, all in one message, then their results repeated."""
    return _tools_then(talk, f"Tools said: {talk.results}", *[Tool(*call) for call in json.loads(directive.args)])


@scenario
def loop(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`loop [ROUNDS=1000] [tokens=9]`: a tool call per round, each message costing so many output tokens."""
    stop = Stop(output_tokens=directive.option("tokens", 9))
    if talk.rounds >= directive.number(0, 1000):
        return [Text("Loop finished."), stop]
    return [_bash(f"echo round {talk.rounds + 1}"), stop]


@scenario
def askuser(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`askuser`: the AskUserQuestion tool, then the answer repeated."""
    if talk.rounds:
        return [Text(f"You said: {talk.result_text}")]
    return [Tool("AskUserQuestion", {"questions": [QUESTION]})]


@scenario
def plan(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`plan`: in plan mode the plan file is written first (the CLI reads the plan from it), then ExitPlanMode."""
    steps: list[Step] = [Tool("ExitPlanMode", {"plan": PLAN}), Text("Plan handled.")]
    if talk.plan_file:
        steps.insert(0, Tool("Write", {"file_path": talk.plan_file, "content": PLAN}))
    return [steps[min(talk.rounds, len(steps) - 1)]]


@scenario
def agent(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`agent DIRECTIVE`: the Agent tool, its prompt being the inner directive (`SC:agent SC:bash echo hi`)."""
    given = {"description": "Sub work", "prompt": directive.args or "SC:hello", "subagent_type": "general-purpose"}
    return _tools_then(talk, "Agent handled.", Tool("Agent", given))


@scenario
def error(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`error STATUS [times=N] [retry_after=S]`: that HTTP error, at every attempt or at the first N."""
    options = directive.options()
    if attempt > int(options.get("times", attempt)):
        return [Text("Worked at last.")]
    headers = {"retry-after": options["retry_after"]} if "retry_after" in options else {}
    return [Fail(directive.number(0, 500), headers)]


@scenario
def hang(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`hang`: the headers, then nothing until the client leaves."""
    return [Hang("before_events")]


@scenario
def hanghdr(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`hanghdr`: not even headers."""
    return [Hang("before_headers")]


@scenario
def hangmid(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`hangmid`: some text, then nothing until the client leaves."""
    return [Text("Some text, "), Hang("in_stream")]


@scenario
def cut(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`cut [times=N] [gate=NAME]`: the connection ends after a whole block, always or at the first N attempts.

    The CLI keeps the block: 2.1.197 ends the turn with an error, 2.1.329 asks the model up to three times to go on.
    """
    if attempt > directive.option("times", attempt):
        return [Text("Whole at last.")]
    return [Text("Partial text "), Text("before the cut"), EndBlock(), _seen(directive), Cut()]


@scenario
def cutmid(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`cutmid [times=N] [gate=NAME]`: as `cut`, but in the middle of a block.

    The CLI drops what it streamed and asks again without streaming; that answer is cut as well, if N allows.
    """
    if attempt > directive.option("times", attempt):
        return [Text("Whole at last.")]
    return [Text("Partial text "), Text("before the cut"), _seen(directive), Cut()]


@scenario
def drop(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`drop [times=N]`: the connection is reset without an answer, always or at the first N attempts."""
    return [Text("Connected at last.")] if attempt > directive.option("times", attempt) else [Cut(reset=True)]


@scenario
def badsse(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`badsse [gate=NAME]`: a text block, then an event that is not JSON."""
    return [Text("Good so far"), EndBlock(), _seen(directive), Raw(b"event: content_block_delta\ndata: {not json\n\n")]


@scenario
def sseerror(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`sseerror [gate=NAME]`: a text block, then the API's `error` event."""
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    raw = Raw(f"event: error\ndata: {json.dumps(event)}\n\n".encode())
    return [Text("Good so far"), EndBlock(), _seen(directive), raw]


@scenario
def empty(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`empty`: a message without content."""
    return [Stop("end_turn")]


@scenario
def maxtokens(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`maxtokens`: a text that the token limit ended."""
    return [Text("Too long to"), Stop("max_tokens")]


@scenario
def refusal(talk: Conversation, directive: Directive, attempt: int) -> list[Step]:
    """`refusal`: the model declines."""
    return [Text("I cannot"), Stop("refusal")]

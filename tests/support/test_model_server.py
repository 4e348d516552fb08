"""What the model server answers, over plain HTTP: no CLI takes part here."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator

import pytest

from tests.support.model_client import TIMEOUT, ask, asked, body_of, called, events, prompt, said, text_of, tools_of
from tests.support.model_server import SCENARIOS, ModelServer
from tests.support.model_server.prompts import Directive, read_conversation
from tests.support.model_server.scenarios import answer
from tests.support.model_server.steps import Fail
from tests.support.model_server.stream import ClientLeft, StreamedAnswer, whole_message


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


class Recorder:
    """A connection that keeps what is sent and at which waits never end."""

    def __init__(self) -> None:
        self.data = b""

    def begin(self) -> None: ...

    def send(self, data: bytes) -> None:
        self.data += data

    def pause(self, seconds: float) -> None: ...

    def wait_gate(self, name: str) -> None: ...

    def hang(self) -> None:
        raise ClientLeft

    def cut(self, *, reset: bool) -> None: ...


@pytest.mark.parametrize("name", sorted(SCENARIOS))
@pytest.mark.parametrize("rounds", [0, 1])
def test_every_scenario_opens_and_closes_its_blocks_in_order(name: str, rounds: int) -> None:
    given = {
        "tool": "tool Bash {}",
        "tools": 'tools [["Bash", {}], ["Read", {}]]',
        "parallelread": "parallelread /a /b",
        "bigtext": "bigtext 10 deltas=3",
        "slow": "slow 2",
    }.get(name, name)
    talk = read_conversation(body_of(said(f"SC:{given}"), *(called("t1") * rounds)))
    steps = answer(talk, 1)
    assert steps
    if any(isinstance(step, Fail) for step in steps):
        return
    recorder = Recorder()
    with contextlib.suppress(ClientLeft):
        StreamedAnswer(recorder, 1, "m").play(steps)
    index, block = 0, False
    for line in recorder.data.splitlines():
        if not line.startswith(b"data: {") or line == b"data: {not json":
            continue
        event = json.loads(line[6:])
        if event["type"].startswith("content_block"):
            assert event["index"] == index
            assert block == (event["type"] != "content_block_start")
            block = event["type"] != "content_block_stop"
            index += event["type"] == "content_block_stop"
        if event["type"] == "message_stop":
            assert not block


def test_hello_streams_a_whole_message_in_three_deltas(server: ModelServer) -> None:
    stream = prompt(server, "SC:hello")
    assert [event["type"] for event in stream] == [
        "message_start", "content_block_start", *["content_block_delta"] * 3, "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip
    assert text_of(stream) == "Hello there, friend."
    assert stream[-2]["delta"]["stop_reason"] == "end_turn"


def test_a_request_that_does_not_stream_gets_the_same_message_at_once(server: ModelServer) -> None:
    status, data = ask(server, body_of(said("SC:saybash echo hi"), stream=False))
    message = json.loads(data)
    assert status == 200
    assert [block["type"] for block in message["content"]] == ["text", "tool_use"]
    assert message["content"][0]["text"] == "I will run it."
    assert message["stop_reason"] == "tool_use"


def test_thinking_comes_before_the_text_and_is_signed(server: ModelServer) -> None:
    kinds = [event["delta"]["type"] for event in prompt(server, "SC:think") if event["type"] == "content_block_delta"]
    assert kinds == ["thinking_delta", "thinking_delta", "signature_delta", "text_delta", "text_delta"]


def test_a_tool_call_is_followed_by_a_closing_text_once_its_result_is_there(server: ModelServer) -> None:
    stream = prompt(server, "SC:bash echo hi > there")
    assert tools_of(stream) == [("Bash", {"command": "echo hi > there", "description": "Run a command"})]
    assert stream[-2]["delta"]["stop_reason"] == "tool_use"
    assert text_of(prompt(server, "SC:bash echo hi > there", *called("t1"))) == "Command finished."


def test_a_tool_of_any_name_gets_the_json_given_and_its_result_is_repeated(server: ModelServer) -> None:
    assert tools_of(prompt(server, 'SC:tool mcp__demo__add {"a": 1}')) == [("mcp__demo__add", {"a": 1})]
    assert text_of(prompt(server, 'SC:tool mcp__demo__add {"a": 1}', *called("t1"))) == "Tool said: out t1"


def test_a_prompt_beside_the_last_tool_results_is_the_newest_prompt(server: ModelServer) -> None:
    talk = [said("SC:loop"), *called("t1")]
    talk[-1]["content"].append({"type": "text", "text": "SC:two"})
    assert text_of(prompt(server, "SC:loop", *talk[1:])) == "Second answer."


def test_parallel_calls_stand_in_one_message_with_ids_of_their_own(server: ModelServer) -> None:
    stream = prompt(server, "SC:parallel echo 1 | echo 2 | echo 3")
    assert [given["command"] for _, given in tools_of(stream)] == ["echo 1", "echo 2", "echo 3"]
    starts = [event["content_block"]["id"] for event in stream if event["type"] == "content_block_start"]
    assert len(set(starts)) == 3
    assert text_of(prompt(server, "SC:parallel", *called("t1", "t2"))) == "All finished."


def test_an_agent_is_given_the_inner_directive_as_its_prompt(server: ModelServer) -> None:
    ((name, given),) = tools_of(prompt(server, "SC:agent SC:bash echo hi"))
    assert (name, given["prompt"]) == ("Agent", "SC:bash echo hi")


def test_a_plan_is_written_to_the_plan_file_where_the_cli_named_one(server: ModelServer) -> None:
    reminder = "<system-reminder>Create your plan file at /ws/plans/a-b.md with Write.</system-reminder>"
    body = body_of(said(reminder, "SC:plan"))
    ((name, given),) = tools_of(events(ask(server, body)[1]))
    assert (name, given["file_path"]) == ("Write", "/ws/plans/a-b.md")
    body["messages"] += called("t1")
    assert tools_of(events(ask(server, body)[1]))[0][0] == "ExitPlanMode"
    assert tools_of(prompt(server, "SC:plan"))[0][0] == "ExitPlanMode"


def test_a_loop_calls_tools_until_its_rounds_are_over(server: ModelServer) -> None:
    stream = prompt(server, "SC:loop 2 tokens=5000", *called("t1"))
    assert tools_of(stream)[0][1]["command"] == "echo round 2"
    assert stream[-2]["usage"]["output_tokens"] == 5000
    assert text_of(prompt(server, "SC:loop 2", *called("t1"), *called("t2"))) == "Loop finished."


def test_echo_counts_the_users_prompts_and_repeats_the_first(server: ModelServer) -> None:
    history = [said("SC:hello"), {"role": "assistant", "content": "Hello"}, said("SC:bash ls"), *called("t1")]
    status, data = ask(server, body_of(*history, said("<system-reminder>x</system-reminder>", "SC:echo")))
    assert (status, text_of(events(data))) == (200, "history: 3 user messages; first: SC:hello")


@pytest.mark.parametrize(
    "texts",
    [
        ("nothing special",),
        ("<system-reminder>\nSC:hang\n</system-reminder>\n", "nothing special"),
        ("SC:hang", "[Request interrupted by user]", "nothing special"),
        ("SC:nosuchthing at all",),
    ],
)
def test_only_the_users_newest_words_direct_the_answer(server: ModelServer, texts: tuple[str, ...]) -> None:
    status, data = ask(server, body_of(said(*texts)))
    assert (status, text_of(events(data))) == (200, "A plain answer.")


def test_a_nudge_of_the_cli_lets_the_same_directive_go_on(server: ModelServer) -> None:
    nudge = said("Your response above was cut off mid-stream. Resume directly from where it stopped.")
    history = [{"role": "assistant", "content": "Partial"}, nudge]
    assert text_of(prompt(server, "SC:two", *history)) == "Second answer."


def test_of_joined_prompts_the_last_line_directs_the_answer() -> None:
    assert read_conversation(body_of(said("SC:hello\nSC:bash a  b\n"))).directive == Directive("bash", "a  b")


@pytest.mark.parametrize("wrap", ["{}", "<system-reminder>{}</system-reminder>"])
def test_news_of_a_background_task_gets_an_answer_of_its_own(server: ModelServer, wrap: str) -> None:
    news = said(wrap.format("<task-notification><summary>SC:hang done</summary></task-notification>"))
    assert text_of(prompt(server, "SC:bashbg x", *called("t1"), news)) == "Background news noted."


def test_a_title_is_given_without_running_the_directive_it_is_about(server: ModelServer) -> None:
    schema = {"format": {"type": "json_schema", "schema": {}}}
    _, data = ask(server, body_of(said("<session>\nSC:hang\n</session>"), tools=[], output_config=schema))
    assert json.loads(text_of(events(data))) == {"title": "A title"}
    assert server.requests[-1].directive is None


def test_a_misspelt_argument_is_told_in_the_answer(server: ModelServer) -> None:
    assert text_of(prompt(server, "SC:slow many")).startswith("Misspelt directive")


@pytest.mark.parametrize(("directive", "size"), [("bigtext 100000", 100000), ("bigtext 1001 deltas=7", 1001)])
def test_a_big_text_has_exactly_the_size_asked_for(server: ModelServer, directive: str, size: int) -> None:
    assert len(text_of(prompt(server, f"SC:{directive}"))) == size


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (429, "rate_limit_error"),
     (500, "api_error"), (529, "overloaded_error")],
)  # fmt: skip
def test_an_error_has_the_apis_status_and_shape(server: ModelServer, status: int, kind: str) -> None:
    got, data = ask(server, body_of(said(f"SC:error {status}")))
    assert (got, json.loads(data)["error"]["type"]) == (status, kind)


def test_an_error_goes_away_after_so_many_times_and_comes_again_for_the_next_prompt(server: ModelServer) -> None:
    failing = body_of(said("SC:error 529 times=2 retry_after=1"))
    assert [ask(server, failing)[0] for _ in range(4)] == [529, 529, 200, 200]
    again = body_of(*failing["messages"], {"role": "assistant", "content": "ok"}, *failing["messages"])
    with asked(server, again) as connection:
        response = connection.getresponse()
        assert (response.status, response.headers["retry-after"]) == (529, "1")
        response.read()


def test_a_wait_finds_requests_of_the_past_and_of_the_future(server: ModelServer) -> None:
    prompt(server, "SC:hello")
    assert server.wait_for_directive("hello", 0).path.startswith("/v1/messages")
    later = threading.Timer(0.01, prompt, (server, "SC:two"))
    later.start()
    assert server.wait_for_directive("two", TIMEOUT, after=1).body["model"] == "m"
    later.join(TIMEOUT)
    with pytest.raises(TimeoutError, match="POST /v1/messages"):
        server.wait_for_directive("hello", 0.01, after=1)


def test_other_paths_of_the_api_are_answered(server: ModelServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=TIMEOUT)
    for method in ("HEAD", "GET"):
        connection.request(method, "/")
        with contextlib.closing(connection.getresponse()) as response:
            assert (response.status, method == "GET" or response.read() == b"") == (200, True)
    connection.close()
    status, data = ask(server, body_of(said("x")), "/v1/messages/count_tokens")
    assert (status, json.loads(data)["input_tokens"] > 0) == (200, True)
    assert ask(server, {}, "/v1/elsewhere")[0] == 404
    assert ask(server, ["no object"])[0] == 400
    assert [request.method for request in server.requests[:2]] == ["HEAD", "GET"]


def test_a_whole_message_joins_neighbouring_deltas_into_one_block() -> None:
    steps = answer(read_conversation(body_of(said("SC:think"))), 1)
    message = whole_message(steps, 1, "m", Recorder())
    assert message is not None
    assert [block.get("text", block.get("thinking")) for block in message["content"]] == [
        "Let me think.",
        "Thought through.",
    ]

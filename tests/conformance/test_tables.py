"""SPEC.md's tables and diagrams say what the models say: nothing is missing in either, and nothing differs.

Owns: which table belongs to which model. Refuses: to hold a list of its own where a model has one. Imported by nobody.
"""

from __future__ import annotations

import argparse
import json
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from pydantic_core import PydanticUndefined

from adapter import app, config, peer
from adapter.faces import conversations as faces_conversations
from adapter.process import child, environment
from adapter.providers import claude_process, probe
from adapter.session import idempotency, trust
from protocol import (
    content,
    conversations,
    events,
    framing,
    hooks,
    lifecycle,
    methods,
    openrpc,
    queries,
    session_config,
    tools,
)
from protocol.errors import CODES, JSONRPC_KINDS, ErrorKind
from protocol.methods import METHODS
from tests.support import spec
from tests.support.diagrams import diagrams
from tests.support.spec import FieldSpec

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

EVENTS: dict[str, type[events.Event]] = {str(kind.__struct_config__.tag): kind for kind in get_args(events.AnyEvent)}
NONE = type(None)


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, else the annotation alone; what `Annotated` adds is taken off."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(member for each in get_args(annotation) for member in members(each))
    return (annotation,)


def param_fields(model: type[BaseModel]) -> dict[str, FieldSpec]:
    """A model of params as SPEC.md writes it."""
    found = {}
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        default = field.get_default(call_default_factory=True)
        if default is PydanticUndefined:
            found[name] = FieldSpec()
        elif default is None:
            found[name] = FieldSpec(optional=True)
        else:
            found[name] = FieldSpec(default=json.dumps(default))
    return found


def result_fields(model: type[BaseModel]) -> dict[str, FieldSpec]:
    """A model of a result as SPEC.md writes it: every field is sent, some can be null."""
    return {name: FieldSpec(nullable=NONE in members(field.annotation)) for name, field in model.model_fields.items()}


def struct_fields(struct: type[msgspec.Struct]) -> dict[str, FieldSpec]:
    """An event, or an object in one, as SPEC.md writes it."""
    found = {}
    for field in msgspec.structs.fields(struct):
        kinds = members(field.type)
        found[field.encode_name] = FieldSpec(optional=msgspec.UnsetType in kinds, nullable=NONE in kinds)
    return found


@pytest.mark.spec("2.1")
def test_the_table_of_methods_is_the_table_of_the_daemon() -> None:
    table = spec.table("method")
    assert list(table.by_name("params")) == list(METHODS)
    shown = {name: spec.fields(cell) for name, cell in table.by_name("params").items()}
    assert shown == {name: param_fields(method.params) for name, method in METHODS.items()}


@pytest.mark.spec("2.1")
def test_the_table_of_methods_tells_every_field_of_every_result() -> None:
    shown = {name: spec.fields(cell.partition(":")[0]) for name, cell in spec.table("method").by_name("result").items()}
    assert shown == {name: result_fields(method.result) for name, method in METHODS.items()}


def test_the_table_of_methods_tells_every_error_of_every_method() -> None:
    shown = {name: spec.code_spans(cell) for name, cell in spec.table("method").by_name("errors").items()}
    assert {name: sorted(kinds) for name, kinds in shown.items()} == {
        name: sorted(method.errors) for name, method in METHODS.items()
    }


@pytest.mark.spec("2.2")
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("`client_info`", param_fields(methods.ClientInfo)),
        ("`server_info`", result_fields(methods.ServerInfo)),
        ("`capabilities`", result_fields(methods.Capabilities)),
        ("a session in `sessions`", result_fields(methods.SessionEntry)),
        ("`usage` of a session or a turn", result_fields(methods.UsageCounts)),
        ("`usage` of a session or a turn", struct_fields(events.TurnUsage)),
        ("a tool in `config.tools`", param_fields(tools.ParentTool)),
        ("a hook in `config.hooks`", param_fields(hooks.HookSubscription)),
        ("`text` block", param_fields(content.TextBlock)),
        ("`image` or `document` block", param_fields(content.ImageBlock)),
        ("`image` or `document` block", param_fields(content.DocumentBlock)),
        ("`error` of a turn", struct_fields(events.TurnError)),
        ("a task in `tasks`", struct_fields(events.Task)),
        ("a task in `tasks`", result_fields(methods.TaskEntry)),
        ("`usage` of a task", struct_fields(events.TaskUsage)),
        ("`usage` of a task", result_fields(methods.TaskUsage)),
        ("`compaction` of a notice", struct_fields(events.Compaction)),
        ("`retry` of a notice", struct_fields(events.Retry)),
        ("an entry of a plan", struct_fields(events.PlanEntry)),
        ("a model in `models`", result_fields(queries.Model)),
        ("a part of the context in `categories`", result_fields(queries.ContextCategory)),
        ("an MCP server in `servers`", result_fields(queries.McpServer)),
        ("a conversation in `conversations`", result_fields(conversations.ConversationEntry)),
        ("an entry of `events`", result_fields(conversations.HistoryEntry)),
    ],
)
def test_an_object_has_the_fields_that_its_row_lists(row: str, expected: dict[str, FieldSpec]) -> None:
    table = spec.table("object")
    cell = dict(zip(table.column("object"), table.column("fields"), strict=True))[row]
    assert spec.fields(cell.partition(";")[0].partition(" (")[0].partition(":")[0]) == expected


@pytest.mark.spec("2.3")
def test_every_vocabulary_is_listed_whole() -> None:
    table = spec.table("word")
    shown = {
        name: tuple(spec.code_spans(cell))
        for name, cell in zip(table.column("word"), table.column("values"), strict=True)
    }
    assert shown == {
        "`runtime_mode`": get_args(session_config.RuntimeModeName),
        "`transport`": get_args(session_config.SessionConfig.model_fields["transport"].annotation),
        "`trust`": get_args(session_config.SessionConfig.model_fields["trust"].annotation),
        "`state`": tuple(lifecycle.SessionState),
        "`origin`": get_args(events.TurnOrigin),
        "`when`": get_args(methods.SendMessageParams.model_fields["when"].annotation),
        "`status` of a task": get_args(events.TaskStatus),
        "`status` of a compaction": get_args(events.CompactionStatus),
        "tool `kind`": get_args(events.ToolKind),
        "`stop_reason`": get_args(events.StopReason),
        "`reason` of the end": get_args(events.EndReason),
        "`level`": get_args(events.NoticeLevel),
        "`outcome` of the event": get_args(events.PermissionOutcome),
        "`outcome` of the answer": get_args(methods.PermissionAnswer.model_fields["outcome"].annotation),
        "`by`": get_args(events.ResolvedBy),
        "`status` of an entry": literal_of(events.PlanEntry, "status"),
        "`priority` of an entry": literal_of(events.PlanEntry, "priority"),
    }


def literal_of(struct: type[msgspec.Struct], name: str) -> tuple[str, ...]:
    (kind,) = [field.type for field in msgspec.structs.fields(struct) if field.name == name]
    assert get_origin(kind) is Literal
    return get_args(kind)


@pytest.mark.spec("3.1")
def test_the_table_of_the_config_is_its_model() -> None:
    shown: dict[str, FieldSpec] = {}
    for cell in spec.table("config field").column("config field"):
        shown |= spec.fields(cell)
    assert shown == param_fields(session_config.SessionConfig)


@pytest.mark.spec("5.2")
def test_the_table_of_events_is_the_vocabulary_of_the_daemon() -> None:
    shown = {name: spec.fields(cell) for name, cell in spec.table("event").by_name("fields").items()}
    assert shown == {name: struct_fields(kind) for name, kind in EVENTS.items()}


@pytest.mark.spec("5.1")
def test_what_surrounds_an_event_is_told() -> None:
    said = spec.fields(spec.clauses()["5.1"].partition(". ")[0].replace("\n", " ").partition("params")[2])
    assert said == struct_fields(events.EventParams)


def test_an_update_can_tell_every_field_that_the_beginning_told() -> None:
    assert list(struct_fields(events.SessionUpdated)) == list(struct_fields(events.SessionStarted))


@pytest.mark.spec("7.1")
def test_the_table_of_the_daemons_requests_is_their_models() -> None:
    table = spec.table("request")
    assert list(table.by_name("params")) == [*methods.QUESTIONS, "cancel_request"]
    for name, method in methods.QUESTIONS.items():
        assert spec.fields(table.by_name("params")[name]) == result_fields(method.params)
        assert spec.fields(table.by_name("result")[name]) == param_fields(method.answer)


@pytest.mark.spec("8.2")
def test_the_table_of_errors_is_that_of_the_daemon() -> None:
    table = spec.table("code")
    shown = {
        spec.code_spans(kind)[0]: int(code)
        for code, kind in zip(table.column("code"), table.column("kind"), strict=True)
    }
    assert shown == {kind.value: code for kind, code in CODES.items()} | {
        kind: code for code, kind in JSONRPC_KINDS.items()
    }


@pytest.mark.spec("8.3")
def test_a_turn_can_fail_of_one_kind_more_than_a_request() -> None:
    assert set(ErrorKind) - set(CODES) == {ErrorKind.API_ERROR}
    assert "`api_error`" in spec.clauses()["8.3"]


@pytest.mark.spec("11.1")
@pytest.mark.parametrize(
    ("header", "patterns"), [("taken out", environment.DENIED), ("kept all the same", environment.ALLOWED)]
)
def test_the_patterns_of_the_environment_are_listed_whole(header: str, patterns: tuple[str, ...]) -> None:
    assert [spec.code_spans(cell)[0] for cell in spec.table(header).column(header)] == list(patterns)


@pytest.mark.spec("12.1")
def test_the_table_of_settings_is_their_model() -> None:
    table = spec.table("setting")
    assert list(table.by_name("default")) == list(config.Settings.model_fields)
    for name, cell in table.by_name("default").items():
        default = config.Settings.model_fields[name].default
        assert cell == shown_default(default), name
    for name, cell in table.by_name("environment variable").items():
        assert spec.code_spans(cell) == [config.PREFIX + name.upper()]
    assert all(table.column("meaning"))


def shown_default(default: Any) -> str:
    if default is None:
        return "\N{EN DASH}"
    if isinstance(default, list):
        return "section 11"
    return str(default) if not isinstance(default, bool) else str(default).lower()


@pytest.mark.spec("12.1")
def test_every_flag_of_the_table_is_taken_by_the_command_line() -> None:
    parser = argparse.ArgumentParser()
    config.add_flags(parser)
    taken = [set(action.option_strings) for action in parser._actions if action.dest != "help"]
    assert [set(spec.code_spans(cell)) for cell in spec.table("setting").column("flag")] == taken


@pytest.mark.spec("12.1")
def test_a_limit_that_can_be_turned_off_says_so_and_takes_a_zero() -> None:
    says = {name for name, cell in spec.table("setting").by_name("meaning").items() if "0: never" in cell}
    takes = {name for name, field in config.Settings.model_fields.items() if "0: never" in (field.description or "")}
    assert says == takes
    settings = config.Settings.model_validate(dict.fromkeys(says, 0))
    assert {getattr(settings, name) for name in says} == {0}


@pytest.mark.spec("12.2")
def test_the_settings_file_of_the_example_is_taken(tmp_path: Path) -> None:
    (example,) = spec.fenced("toml")
    file = tmp_path / "config.toml"
    file.write_text(example, encoding="utf-8")
    settings = config.load({}, {}, file)
    assert settings.model_fields_set
    assert settings.idle_timeout == 0


@pytest.mark.spec("12.4")
def test_the_fixed_limits_are_those_of_the_code() -> None:
    table = spec.table("limit")
    shown = dict(zip(table.column("limit"), table.column("value"), strict=True))
    assert {name: float(value) for name, value in shown.items()} == {
        "requests handled at once": peer.MAX_IN_FLIGHT,
        "unread bytes at which no request is read": peer.MAX_UNREAD,
        "bytes of a header block": framing.MAX_HEADER_BLOCK,
        "characters of a `stderr_tail`": child.MESSAGE_TAIL,
        "bytes of a CLI's stderr that are kept": child.STDERR_TAIL,
        "idempotency keys that a session remembers": idempotency.KEPT,
        "bytes of events on a page of `get_history`": faces_conversations.MAX_PAGE,
        "seconds for a CLI to answer a control request": claude_process.CONTROL_S,
        "seconds for a CLI to answer `health_check`": probe.PROBE_S,
        "seconds for an answer about trust, where `permission_timeout` is off": trust.TRUST_S,
        "seconds for open requests at the end": app.CALLS_END_S,
        "seconds for the last events to be read": app.LAST_WORDS_S,
    }


@pytest.mark.spec("4.1")
@pytest.mark.spec("4.2")
def test_the_diagrams_are_drawn_from_the_transition_tables() -> None:
    assert [block.rstrip("\n") for block in spec.fenced("mermaid")] == diagrams()


@pytest.mark.spec("2.15")
def test_the_openrpc_document_holds_every_method_event_and_error() -> None:
    document = openrpc.document("1.2.3")
    assert [method["name"] for method in document["methods"]] == list(METHODS)
    for method in document["methods"]:
        assert {param["name"] for param in method["params"]} == set(METHODS[method["name"]].params.model_fields)
    assert [method["name"] for method in document["x-server-methods"]] == [
        "event",
        *spec.table("request").by_name("params"),
    ]
    kinds = {error["data"]["kind"]: error["code"] for error in document["components"]["errors"].values()}
    assert kinds == {kind.value: code for kind, code in CODES.items()} | {
        kind: code for code, kind in JSONRPC_KINDS.items()
    }
    assert events_of(document) == set(EVENTS)


def events_of(document: dict[str, Any]) -> set[str]:
    """The types of the events, found the way a reader of the document would: from `event`'s params onwards."""
    (event,) = [method for method in document["x-server-methods"] if method["name"] == "event"]
    params = {param["name"]: param["schema"] for param in event["params"]}
    assert set(params) == set(struct_fields(events.EventParams))
    schemas = document["components"]["schemas"]
    found = set()
    for choice in params["event"]["anyOf"]:
        schema = schemas[choice["$ref"].rpartition("/")[2]]
        found.update(schema["properties"]["type"]["enum"])
    return found


@pytest.mark.spec("2.15")
def test_every_reference_in_the_openrpc_document_leads_somewhere() -> None:
    document = openrpc.document("1.2.3")
    references = [line.split('"')[3] for line in json.dumps(document, indent=1).splitlines() if '"$ref"' in line]
    assert references
    for reference in references:
        here: Any = document
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]

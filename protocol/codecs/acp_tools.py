"""How a tool call is shown to an editor: title, kind, places, differences, output. Pure, and stateless.

Goes by the contract's kinds and by the names of input fields that tools have in common, so that an unknown tool still
gets the best that its input allows. What Claude Code's own tools need beyond that is in the tables below (fields
measured with claude 2.1.197 and 2.1.329).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protocol.events import FileChange

Json = dict[str, Any]

TITLE_LIMIT: Final = 300
"""Characters of a title: a line or two in an editor's panel. The whole command is in `rawInput`."""

PLANNING_TOOLS: Final = frozenset({"TodoWrite", "TaskCreate", "TaskUpdate", "TaskList", "TaskGet"})
"""Their effect is shown as the plan; a call of its own beside it would say everything twice."""

LAUNCHED: Final = "Works in the background."
"""Stands for what the CLI tells the model of an agent's launch, which asks not to be shown to the user."""

_LAUNCH: Final = "Async agent launched successfully."
"""How that begins (claude 2.1.329). A live one ends with the agent; in a history it is the call's only output."""

_MODE_TOOLS: Final = {"ExitPlanMode": "The plan", "EnterPlanMode": "Make a plan first"}
_QUESTION_TOOL: Final = "AskUserQuestion"

_KINDS: Final = frozenset({"read", "edit", "execute", "search", "fetch", "think"})
"""Those of the contract's kinds that the protocol has, too."""

_PATH_FIELDS: Final = ("file_path", "notebook_path", "path", "filePath")


def tool_kind(name: str, kind: str) -> str:
    """The protocol's kind of a tool: the contract's, but for those that switch modes or ask the user."""
    if name in _MODE_TOOLS:
        return "switch_mode"
    return kind if kind in _KINDS and name != _QUESTION_TOOL else "other"


def first_title(name: str) -> str:
    """The title before the input is known."""
    return _MODE_TOOLS.get(name) or _tool_name(name)


def title(name: str, kind: str, given: Any, cwd: str) -> str:
    """The title once the input is known."""
    fields = given if isinstance(given, dict) else {}
    found = _title(name, kind, fields, cwd)
    return found if len(found) <= TITLE_LIMIT else f"{found[: TITLE_LIMIT - 1]}…"


def locations(given: Any) -> list[Json]:
    """The files that a call is about."""
    path = _path(given)
    if path is None or not path.startswith("/"):
        return []
    line = given.get("offset")
    return [{"path": path, "line": line}] if type(line) is int and line > 0 else [{"path": path}]


def input_content(name: str, kind: str, given: Any, read_file: Callable[[str], str | None]) -> list[Json]:
    """What the input itself shows: the differences of an edit, the text of a plan, what a command is for.

    Args:
        name, kind, given: the call.
        read_file: gives the text of a file as it is now, None where it cannot or need not be had.
    """
    if not isinstance(given, dict):
        return []
    if kind == "edit":
        return _differences(given, read_file)
    if name in _MODE_TOOLS and isinstance(given.get("plan"), str):
        return [text_content(given["plan"])]
    description = given.get("description")
    if kind == "execute" and isinstance(description, str) and description:
        return [text_content(description)]
    return []


def output_content(kind: str, output: Any, *, is_error: bool) -> list[Json]:
    """The output of a call as content to show."""
    content: list[Json] = []
    for block in output if isinstance(output, list) else [{"type": "text", "text": str(output)}]:
        shown = _shown(block)
        if shown is not None:
            content.append({"type": "content", "content": shown})
    if is_error or kind not in ("execute", "read"):
        return content
    for each in content:
        if each["content"]["type"] == "text":
            language = "console" if kind == "execute" else ""
            each["content"] = {"type": "text", "text": fenced(each["content"]["text"], language)}
    return content


def change_content(changes: Sequence[FileChange]) -> list[Json]:
    """The differences that a call really made, hunk by hunk."""
    return [
        {"type": "diff", "path": change.path, "oldText": change.old_text, "newText": change.new_text}
        for change in changes
    ]


def change_locations(changes: Sequence[FileChange]) -> list[Json]:
    """Where it made them."""
    return [{"path": change.path, "line": change.line} if change.line else {"path": change.path} for change in changes]


def text_of(output: Any) -> str:
    """The text of an output, without its images."""
    if isinstance(output, str):
        return output
    blocks = output if isinstance(output, list) else []
    return "".join(block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str))


def is_launch(kind: str, output: Any) -> bool:
    """Whether an output is what the CLI tells the model of an agent that it has sent to the background."""
    return kind == "think" and text_of(output).startswith(_LAUNCH)


def text_content(text: str) -> Json:
    """Text as the content of a tool call."""
    return {"type": "content", "content": {"type": "text", "text": text}}


def shown_image(source: Any) -> Json | None:
    """An image given by its data in the protocol's form; None for every other source."""
    if not isinstance(source, dict) or not isinstance(source.get("data"), str):
        return None
    return {"type": "image", "data": source["data"], "mimeType": str(source.get("media_type") or "image/png")}


def fenced(text: str, language: str = "") -> str:
    """A fenced block that no fence inside of the text can end."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}"


def _title(name: str, kind: str, given: Json, cwd: str) -> str:
    path = _path(given)
    shown = _relative(path, cwd) if path else ""
    text = {key: value for key, value in given.items() if isinstance(value, str) and value}
    if name in _MODE_TOOLS:
        return _MODE_TOOLS[name]
    if kind == "execute" and "command" in text:
        return text["command"]
    if kind == "read" and shown:
        return f"Read {shown}{_range(given)}"
    if kind == "edit" and shown:
        return f"{name} {shown}"
    if kind == "search" and "pattern" in text:
        return f"{name} `{text['pattern']}`{' in ' + shown if shown else ''}"
    if kind == "search" and "query" in text:
        return f'{name} "{text["query"]}"'
    if kind == "fetch" and "url" in text:
        return f"Fetch {text['url']}"
    if kind == "think" and "description" in text:
        return text["description"]
    if name == _QUESTION_TOOL:
        return _question(given)
    return _tool_name(name)


def _tool_name(name: str) -> str:
    """`mcp__server__tool` as people would say it."""
    parts = name.split("__", 2)
    return f"{parts[1]}: {parts[2]}" if len(parts) == 3 and parts[0] == "mcp" else name


def _question(given: Json) -> str:
    questions = given.get("questions")
    first = questions[0] if isinstance(questions, list) and questions else None
    text = first.get("question") if isinstance(first, dict) else None
    return text if isinstance(text, str) else "A question"


def _path(given: Any) -> str | None:
    if not isinstance(given, dict):
        return None
    return next((given[key] for key in _PATH_FIELDS if isinstance(given.get(key), str) and given[key]), None)


def _relative(path: str, cwd: str) -> str:
    folder = cwd.rstrip("/") + "/"
    return path[len(folder) :] if path.startswith(folder) and len(path) > len(folder) else path


def _range(given: Json) -> str:
    first, count = given.get("offset"), given.get("limit")
    if type(count) is int and count > 0:
        start = first if type(first) is int and first > 0 else 1
        return f" ({start} - {start + count - 1})"
    return f" (from line {first})" if type(first) is int and first > 0 else ""


def _differences(given: Json, read_file: Callable[[str], str | None]) -> list[Json]:
    path = _path(given)
    if path is None:
        return []
    edits = given.get("edits")
    found: list[Json] = []
    for edit in edits if isinstance(edits, list) else [given]:
        old, new = (edit.get("old_string"), edit.get("new_string")) if isinstance(edit, dict) else (None, None)
        if isinstance(old, str) and isinstance(new, str):
            found.append({"type": "diff", "path": path, "oldText": old, "newText": new})
    whole = given.get("content", given.get("file_text"))
    if not found and isinstance(whole, str):
        old = read_file(path)
        # Where nobody is asked, the file may have been written by now.
        found.append({"type": "diff", "path": path, "oldText": None if old == whole else old, "newText": whole})
    return found


def _shown(block: Any) -> Json | None:
    """A content block of an output in the protocol's form; None where there is nothing to show."""
    if not isinstance(block, dict):
        return {"type": "text", "text": str(block)}
    if block.get("type") == "image":
        return shown_image(block.get("source"))
    text = block.get("text")
    return {"type": "text", "text": text} if isinstance(text, str) and text else None

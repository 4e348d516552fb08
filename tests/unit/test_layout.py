"""The house limits, the purity of `protocol`, and the lock files, checked against the tree itself.

Owns: what a linter does not know. Refuses: to start the daemon. Imported by nobody.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("adapter", "protocol", "mock_clis")
SHOWN = (*ROOMS, "examples")

MAX_FILE_LINES = 400  # a file is read in one sitting
MAX_FUNCTION_LINES = 80  # a function is seen on one screen, or nearly
INTERPRETER_TIMEOUT_S = 30.0  # a bare interpreter importing pydantic takes 0.3 s; a loaded machine ten times that

# What gives a module an event loop, a process, a socket, a file, a clock, an environment or a log.
WORLDLY = frozenset(
    """
    _thread anyio asyncio concurrent ctypes fcntl fileinput glob jsonrpcserver locale logging mmap multiprocessing os
    pathlib platform platformdirs psutil pty queue random sched secrets select selectors shutil signal socket sqlite3
    ssl subprocess tempfile termios threading time tty
    """.split()
)
OURS_OUTSIDE_PROTOCOL = frozenset({"adapter", "mock_clis"})
WORLDLY_CALLS = frozenset({"open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint"})
# Not `socket`: pydantic's plugin loader brings it along (importlib.metadata, email); only our own lines can be asked.
NEVER_LOADED = ("adapter", "anyio", "asyncio", "jsonrpcserver", "mock_clis", "multiprocessing", "psutil", "subprocess")


def sources(*rooms: str) -> list[Path]:
    found = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py")) if "__pycache__" not in path.parts]
    assert found, f"no source under {rooms}: the check would pass without looking"
    return found


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_of_ours_is_longer_than_the_house_allows() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*SHOWN)}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_of_ours_is_longer_than_the_house_allows() -> None:
    long = {}
    for path in sources(*SHOWN):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{shown(path)}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_every_module_says_what_it_owns() -> None:
    silent = [shown(path) for path in sources(*SHOWN) if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert silent == []


def reaches(tree: ast.AST) -> set[str]:
    """The forbidden modules and calls a parsed file names, wherever in the file they stand."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WORLDLY_CALLS:
            found.add(node.func.id + "()")
    return found & (WORLDLY | OURS_OUTSIDE_PROTOCOL | {name + "()" for name in WORLDLY_CALLS})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("import os.path", {"os"}),
        ("def f():\n    from asyncio import run", {"asyncio"}),
        ("x = open('f')", {"open()"}),
        ("from adapter import app", {"adapter"}),
        ("import re, json\nfrom .events import open", set()),
    ],
)
def test_the_purity_check_sees_what_it_looks_for(text: str, named: set[str]) -> None:
    assert reaches(ast.parse(text)) == named


def test_no_line_of_protocol_reaches_into_the_world() -> None:
    worldly = {shown(path): sorted(reaches(ast.parse(path.read_text("utf-8")))) for path in sources("protocol")}
    assert {name: found for name, found in worldly.items() if found} == {}


def test_importing_all_of_protocol_loads_no_event_loop_and_starts_no_process() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources("protocol")]
    modules = [name.removesuffix(".__init__") for name in names]
    script = (
        "import importlib, json, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"[importlib.import_module(name) for name in {modules!r}]\n"
        f"print(json.dumps([name for name in {NEVER_LOADED!r} if name in sys.modules]))\n"
    )
    # -I: only what the interpreter and the virtual environment bring, no PYTHONPATH, nothing of a user's own.
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=INTERPRETER_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def locked(name: str) -> dict[str, str]:
    """Distribution name to its whole entry in requirements/<name>.txt."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return {re.split(r"[=\[; ]", entry, maxsplit=1)[0]: entry for entry in entries}


@pytest.mark.parametrize("name", ["build", "run", "dev", "lock"])
def test_every_locked_release_has_one_version_and_its_hashes(name: str) -> None:
    entries = locked(name)
    assert entries
    loose = [
        dist for dist, entry in entries.items() if not re.match(r"\S+==\S+ \\\n\s+--hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert loose == []


@pytest.mark.parametrize("name", ["build", "run", "dev", "lock"])
def test_a_lock_file_names_no_place_to_download_from(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert re.findall(r"^\s*-[^-].*|^--(?!hash).*|\S+://\S+|\S+ @ \S+", text, flags=re.MULTILINE) == []


def test_the_locks_hold_what_the_project_asks_for_and_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked_run = {re.split(r"[<>=!~\[; ]", need, maxsplit=1)[0] for need in project["dependencies"]}
    asked_dev = {re.split(r"[<>=!~\[; ]", need, maxsplit=1)[0] for need in project["optional-dependencies"]["dev"]}
    run, dev = locked("run"), locked("dev")
    assert asked_run - run.keys() == set()
    assert asked_dev - dev.keys() == set()
    apart = [dist for dist, entry in run.items() if dev.get(dist, "").split(" ", 1)[0] != entry.split(" ", 1)[0]]
    assert apart == []

"""`docs/claude.md` names all that the installed CLIs offer, and the tests that it names are there.

Owns: how that page is read. Refuses: to judge whether a test shows what its row says. Imported by nobody.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from protocol.codecs.claude_flags import RESERVED
from protocol.codecs.claude_queries import QUERIES
from protocol.codecs.claude_version import REQUESTS
from tests.support.real_cli import installed_versions

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "claude.md"
HELP_S = 60.0
"""`--help` takes half a second, and several where the file is cold and the machine busy."""

VERSIONS = installed_versions()


def rows(heading: str) -> list[tuple[list[str], str, str]]:
    """The names, the way and the proof of each row below a heading."""
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (body,) = [text for text in section if text.startswith(heading + "\n")]
    cells = [
        line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| `") or "any other" in line
    ]
    assert cells
    return [(re.findall(r"`([^`]+)`", name), way, proof) for name, way, proof in cells]


HEADINGS = ("Flags", "Control requests to the CLI", "Control requests of the CLI", "Environment")


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_row_names_a_test_that_is_there_or_says_why_it_is_out_of_place(heading: str) -> None:
    lost = []
    for names, way, proof in rows(heading):
        if proof == "\N{EN DASH}":
            assert way.startswith("out of place: "), names
            continue
        file, _, test = proof.strip("`").partition("::")
        path = TESTS / file
        if not path.is_file() or not re.search(rf"^(async )?def {test}\(", path.read_text("utf-8"), re.MULTILINE):
            lost.append(proof)
    assert lost == []


@pytest.mark.real_cli
@pytest.mark.skipif(not VERSIONS, reason="no real Claude CLI is installed (it takes npm: `make real-cli`)")
def test_every_flag_of_the_installed_clis_has_its_row(tmp_path: Path) -> None:
    listed = {name for names, _, _ in rows("Flags") for name in names}
    offered: set[str] = set()
    for cli in VERSIONS.values():
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        run = subprocess.run(
            [cli, "--help"], env=environment, capture_output=True, text=True, timeout=HELP_S, check=True
        )
        heads = re.findall(r"^  (-.*?)(?:  |$)", run.stdout, re.MULTILINE)
        offered |= {flag for head in heads for flag in re.findall(r"--[\w-]+", head)}
    assert len(offered) > 50
    assert offered - listed == set()


def test_what_the_daemon_refuses_and_what_it_asks_have_their_rows() -> None:
    flags = {name for names, _, _ in rows("Flags") for name in names}
    assert {flag for flag in RESERVED if re.match(r"--\w", flag)} - flags == {"--init-only"}
    requests = {name for names, _, _ in rows("Control requests to the CLI") for name in names}
    assert {query.subtype for query in QUERIES.values()} | REQUESTS.keys() <= requests

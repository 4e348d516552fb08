"""The installer of the real CLI, with an npm of the test's own making."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.support import install_cli, real_cli

FAKE_CLI = '#!/bin/sh\necho "{version} (Claude Code)"\n'
# `npm pack NAME@VERSION --loglevel=error --pack-destination FOLDER`, as the installer calls it.
FAKE_NPM = """#!/bin/sh
echo "$@" >> "{log}"
case "$2" in *@{version}) cp "{archive}" "$5/package.tgz" ;; *) echo "npm error 404 no such version" >&2; exit 1 ;; esac
"""


def make_executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm that knows version 9.9.9 only, and 9.9.8 whose archive holds 9.9.9; its calls are logged beside it."""
    archive = tmp_path / "archive.tgz"
    cli = FAKE_CLI.format(version="9.9.9").encode()
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("package/claude")
        member.size = len(cli)
        tar.addfile(member, io.BytesIO(cli))
    monkeypatch.setattr(real_cli, "CACHE", tmp_path / "cache")
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return make_executable(folder / "npm", FAKE_NPM.format(log=tmp_path / "calls", archive=archive, version="9.9.[89]"))


def test_a_version_is_installed_once_and_found_afterwards(
    npm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install_cli.main(["9.9.9"]) == 0
    assert install_cli.main(["9.9.9"]) == 0
    assert capsys.readouterr().out == "claude 9.9.9: installed\nclaude 9.9.9: already installed\n"
    assert real_cli.installed_versions() == {"9.9.9": tmp_path / "cache" / "9.9.9" / "claude"}
    assert (tmp_path / "calls").read_text().count("\n") == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["9.9.9"]


def test_what_was_broken_is_replaced(npm: Path, tmp_path: Path) -> None:
    broken = real_cli.cached_cli("9.9.9")
    broken.parent.mkdir(parents=True)
    make_executable(broken, "#!/bin/sh\nexit 1\n")
    assert install_cli.main(["9.9.9"]) == 0
    assert install_cli.reported_version(broken) == "9.9.9"


@pytest.mark.parametrize(("version", "reason"), [("9.9.8", "reports '9.9.9'"), ("1.0.0", "404 no such version")])
def test_a_version_that_cannot_be_had_fails_in_one_line_and_leaves_nothing(
    npm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, reason: str
) -> None:
    assert install_cli.main([version]) == 1
    out = capsys.readouterr().out
    assert reason in out
    assert out.count("\n") == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_script_is_installed_whole_and_its_version_found_behind_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = b"#!/bin/sh\ntest -d \"$HOME\" && echo 'no configuration at $HOME'\necho '1.2.3 (Claude Code)'\n"
    archive, folder = tmp_path / "archive.tgz", tmp_path / "bin"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in (("package/cli.js", script), ("package/vendor/tool", b"tool"), ("package/../../out", b"")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    folder.mkdir()
    monkeypatch.setattr(real_cli, "SCRIPTS", tmp_path / "scripts")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    make_executable(folder / "npm", FAKE_NPM.format(log=tmp_path / "calls", archive=archive, version="1.2.3"))
    make_executable(folder / "node", "#!/bin/sh\n")
    assert install_cli.main(["script:1.2.3"]) == 0
    assert install_cli.main(["script:1.2.3"]) == 0
    assert capsys.readouterr().out == "claude 1.2.3: installed\nclaude 1.2.3: already installed\n"
    assert (tmp_path / "scripts" / "1.2.3" / "vendor" / "tool").read_bytes() == b"tool"
    assert not list(tmp_path.rglob("out"))


def test_a_missing_npm_is_told_in_one_line_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install_cli.main(["9.9.9"]) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_versions_are_listed_from_old_to_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_cli, "CACHE", tmp_path)
    for version in ("2.1.329", "2.1.99", "2.1.197"):
        (tmp_path / version).mkdir()
        make_executable(tmp_path / version / "claude", "")
    assert list(real_cli.installed_versions()) == ["2.1.99", "2.1.197", "2.1.329"]


def test_the_environment_of_a_cli_holds_nothing_of_ours_but_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "secret")
    environment = real_cli.cli_environment(tmp_path, "http://127.0.0.1:1")
    assert environment["HOME"] == str(tmp_path)
    assert {"CLAUDECODE", "ANTHROPIC_AUTH_TOKEN"}.isdisjoint(environment)
    assert Path(environment["CLAUDE_CODE_TMPDIR"]).is_dir()

"""What the command line answers without browser, model or archive: help, wrong usage, bad input, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS, main

HEAVY = (
    "torch",
    "spacy",
    "lancedb",
    "lance",
    "pyarrow",
    "playwright",
    "sklearn",
    "onnxruntime",
    "trafilatura",
    "numpy",
)


def run(*arguments: str, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, cwd=cwd, env={**os.environ, **env}, check=False, timeout=120
    )


def one_line(result: subprocess.CompletedProcess[bytes]) -> str:
    text = result.stderr.decode()
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cli.main import main\nmain(['--help'])\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"HEAVY []" in result.stderr
    for name in COMMANDS:
        assert f"  {name}" in result.stdout.decode()


@pytest.mark.parametrize("name", [c for c in COMMANDS if c != "config"])
def test_every_command_has_help_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples:" in shown
    assert f"chorus {name}" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["harvest"], 2, "no URL given"),
        (["harvest", "not a url"], 2, "not a web address"),
        (["harvest", "file:///etc/passwd"], 2, "not a web address"),
        (["harvest", "--from", "missing.txt"], 2, "no such file"),
        (["harvest", "--no-such-option"], 2, "--no-such-option"),
        (["frobnicate"], 2, "frobnicate"),
        (["threads"], 4, "no archive"),
        (["search", "x"], 4, "no archive"),
        (["search"], 2, "QUERY"),
        (["search", "x", "--mode", "magic"], 2, "hybrid"),
        (["search", "x", "--since", "yesterday"], 2, "not a date"),
        (["search", "x", "--kind", "tweet"], 2, "pingback"),
        (["export", "--as", "pdf"], 2, "parquet"),
        (["extract", "missing.html", "--url", "https://a.example/"], 2, "no such file"),
        (["extract", "-", "--url", "nonsense"], 2, "not a web address"),
        (["classify", "--input", "missing.jsonl"], 2, "no such file"),
        (["threads", "--format", "xml"], 2, "jsonl"),
    ],
)
def test_wrong_usage_is_one_line_and_the_right_exit_code(
    arguments: list[str], code: int, says: str, tmp_path: Path
) -> None:
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == code
    assert says in one_line(result)
    assert result.stdout == b""


def test_an_ordinary_directory_is_no_archive_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    result = run("harvest", "https://blog.example/", "-a", str(tmp_path))
    assert result.returncode == 4
    assert "archive" in one_line(result)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_settings_come_from_flag_then_environment_then_file(tmp_path: Path) -> None:
    (tmp_path / "chorus.toml").write_text('archive = "from-file"\ndelay = 3\n')
    plain = {r["name"]: r for r in map(json.loads, run("config", "show", cwd=tmp_path).stdout.splitlines())}
    assert (plain["archive"]["value"], plain["archive"]["source"]) == ("from-file", "chorus.toml")
    assert plain["delay"]["value"] == 3.0
    env = run("config", "show", cwd=tmp_path, CHORUS_ARCHIVE="from-env").stdout.splitlines()
    assert json.loads(env[0])["value"] == "from-env"
    assert "from-flag" in one_line(run("threads", "-a", "from-flag", cwd=tmp_path, CHORUS_ARCHIVE="from-env"))
    assert "before-command" in one_line(run("--archive", "before-command", "threads", cwd=tmp_path))


@pytest.mark.parametrize("line", ["delay = 'soon'", "delay = -1", "delay = nan", "archive = 3", "archive ="])
def test_a_bad_setting_is_exit_4(line: str, tmp_path: Path) -> None:
    (tmp_path / "chorus.toml").write_text(line)
    result = run("config", "show", cwd=tmp_path)
    assert result.returncode == 4
    one_line(result)


def test_a_closed_pipe_is_no_error() -> None:
    result = subprocess.run(f"{sys.executable} -m cli --help | head -1", shell=True, capture_output=True, check=False)
    assert result.stderr == b""

"""The README cannot lie about commands, settings and exit codes."""

import re
from pathlib import Path

import pytest

from cli.config import SETTINGS
from cli.main import COMMANDS, main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_first_command_sets_up_and_runs_and_the_second_tests() -> None:
    assert shell_lines()[:2] == ["make demo", "make test"]


def test_every_command_is_in_the_readme() -> None:
    for name in COMMANDS:
        assert re.search(rf"`(?:[\w\s]+ )?{name}\b", README), name


def test_every_command_in_the_readme_exists_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    examples = [line.split() for line in shell_lines() if line.startswith("chorus ")]
    assert len(examples) >= 6
    for _, name, *rest in examples:
        assert name in COMMANDS
        assert main([name, "--help"]) == 0
        shown = capsys.readouterr().out
        for option in (word for word in rest if word.startswith("-")):
            assert option in shown, (name, option)


def test_every_setting_is_in_the_readme() -> None:
    for variable, _, _ in SETTINGS.values():
        assert variable in README

"""``classify --engine ray``: the same labels as on one machine, and what is said where there is no Ray."""

import importlib.util
import json
import socket
from pathlib import Path

import pytest

from cli.main import main
from nlp.cluster import check_address
from store.records import ConfigError

HAS_RAY = importlib.util.find_spec("ray") is not None

TEXTS = (
    "Thanks so much for this, it fixed my bike.",
    "My new book is out on Friday, order it at smallpress.example.",
    "Follower counts say nothing about a person.",
    "The bridge opened in May.",
    "",
)


def test_an_address_at_which_nobody_answers_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check_address(f"ray://127.0.0.1:{port}")
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "[::1]:1", "127.0.0.1:99999"):
        with pytest.raises(ConfigError, match="no cluster at"):
            check_address(address)
    for elsewhere in ("", "auto", "local"):
        check_address(elsewhere)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    source = tmp_path / "rows.jsonl"
    lines = [{"id": str(n), "text": text, "context": None, "role": "comment"} for n, text in enumerate(TEXTS * 60)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return source


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_one_line_says_what_to_install(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "--input", str(rows), "--engine", "ray", "--no-cache"]) == 4
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "chorus[ray]" in shown.err


@pytest.mark.skipif(not HAS_RAY, reason="pip install 'chorus[ray]'")
def test_a_cluster_gives_the_same_rows_as_one_machine(rows: Path, tmp_path: Path) -> None:
    found = []
    for engine in ("local", "ray"):
        out = tmp_path / f"{engine}.jsonl"
        arguments = ["--input", str(rows), "--engine", engine, "--no-cache", "--quiet", "--out", str(out)]
        assert main(["classify", *arguments]) == 3
        found.append(out.read_text(encoding="utf-8"))
    assert found[0] == found[1]
    assert found[0].count("\n") == len(TEXTS) * 60

"""Human coding: what is kept, what the coder sees, and that neither a crash nor a hostile text harms either."""

import io
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.label_keys import Keys
from cli.label_prompt import tame
from cli.main import main
from cli.sample_blog import SampleBlog
from nlp.codebook import load_codebook
from store.annotations import Journal, coder_name, current_codings, newest, open_journal
from store.archive import Archive
from store.records import ArchiveError, ArchiveLocked, UsageError

#: Another codebook altogether: labels that are numbers, and codes that are also keys or numbers.
RUDENESS = """
name = "rudeness"
version = "3"
order = ["0", "1", "unsure"]
[[code]]
code = "S"
label = "1"
name = "slur"
definition = "Calls somebody names."
not = "Plain dissent."
examples = ["You oaf."]
[[code]]
code = "3"
label = "0"
definition = "Thanks, greetings, all else."
[[code]]
code = "x y"
label = "unsure"
definition = "Cannot be told."
"""

CODEBOOK = load_codebook()


def rows(count: int = 4, **more: Any) -> list[dict[str, Any]]:
    units = []
    for n in range(count):
        unit = {
            "id": f"u{n}",
            "text": f"Sentence number {n}.",
            "context": None,
            "role": "comment",
            "thread_id": f"t{n}",
        }
        where = {"entry_id": None, "url": f"https://blog.example/{n}", "split": ("dev", "test")[n % 2], "chance": 0.25}
        units.append({**unit, **where, **more})
    return units


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "sample.jsonl", rows())


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run ``chorus label`` with these keys on stdin."""

    def run(keys: str, *arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(keys.encode("utf-8", "surrogateescape"))))
        return main(["label", *map(str, arguments)])

    return run


Code = Callable[..., int]


def test_the_pipe_of_the_documentation(sample: Path) -> None:
    command = f"printf '1\\nC2\\nq\\n' | {sys.executable} -m cli label sample.jsonl --coder ana --out ana.jsonl"
    result = subprocess.run(command, shell=True, capture_output=True, check=True, timeout=120)
    assert result.stdout == b""
    assert result.stderr.decode().splitlines()[-1] == "2 coded, 2 left: ana.jsonl"
    assert b"\x1b" not in result.stderr
    first, second = lines_of(Path("ana.jsonl"))
    assert (first["id"], first["label"], first["code"]) == ("u0", "self-promotion", None)
    assert (second["id"], second["label"], second["code"]) == ("u1", "community-sharing", "C2")
    for row, unit in zip((first, second), rows(), strict=False):
        assert {name: row[name] for name in unit} == unit
        assert row["coder"] == "ana"
        assert (row["codebook"], row["codebook_version"]) == (CODEBOOK.digest, CODEBOOK.version)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["at"])
        assert isinstance(row["seconds"], float)
        assert (row["supersedes"], row["note"]) == (False, None)


def test_every_kind_of_key(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "\nbogus\n9\n?\n? c2\nn first thought\nn better thought\np3\nb\nMETA-TALK\n:s\n"
    assert code(keys, sample, "--coder", "ana", "--out", "o.jsonl") == 0
    found = lines_of(Path("o.jsonl"))
    assert [(r["label"], r["code"], r["note"]) for r in found] == [
        ("self-promotion", "P3", "better thought"),
        ("self-promotion", "B", None),
        ("meta-talk", None, None),
    ]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "bogus: no such key" in shown.err
    assert "9: no such key" in shown.err
    assert CODEBOOK.codes[0].definition.split(";")[0] in shown.err  # the whole codebook
    assert "Not: Ironic thanks (N1)." in shown.err
    assert "4 of 4 · comment" in shown.err
    assert shown.err.splitlines()[-1] == "3 coded, 1 left: o.jsonl"


def test_resumes_and_says_when_nothing_is_left(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("1\ns\n2\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    capsys.readouterr()
    assert code("4\nn1\n", sample, "--coder", "ana", "--out", "o.jsonl", "--json") == 0
    shown = capsys.readouterr()
    assert "2 of 4" in shown.err
    assert "1 of 4" not in shown.err
    told = json.loads(shown.out)
    assert (told["coded"], told["left"], told["units"], told["coder"]) == (2, 0, 4, "ana")
    assert [r["id"] for r in lines_of(Path("o.jsonl"))] == ["u0", "u2", "u1", "u3"]
    assert code("1\n", sample, "--coder", "ana", "--out", "o.jsonl") == 5
    assert "ana has coded all 4 units" in capsys.readouterr().err
    assert code("1\n", sample, "--coder", "ben", "--out", "o.jsonl") == 0  # another coder in the same file
    assert [r["coder"] for r in lines_of(Path("o.jsonl"))] == ["ana"] * 4 + ["ben"]


def test_undo_appends_and_shows_the_unit_again(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("u\nn why\nP1\nu\nC1\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    assert "nothing to undo" in capsys.readouterr().err
    first, taken, again = lines_of(Path("o.jsonl"))
    assert (first["code"], taken["withdrawn"], again["code"]) == ("P1", True, "C1")
    assert (first["note"], again["note"], again["supersedes"]) == ("why", "why", False)
    assert [r["code"] for r in current_codings(Path("o.jsonl"))] == ["C1"]
    # a skip is undone too, then what was coded in an earlier session
    assert code("s\nu\nu\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    assert current_codings(Path("o.jsonl")) == []
    shown = capsys.readouterr().err
    assert [int(n) for n in re.findall(r"(\d) of 4", shown)] == [2, 3, 2, 1]
    assert shown.splitlines()[-1] == "0 coded, 4 left: o.jsonl"
    assert len(lines_of(Path("o.jsonl"))) == 4  # nothing was rewritten


def test_recoding_supersedes_and_its_undo_restores(
    sample: Path, code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (sample, "--coder", "ana", "--out", "o.jsonl")
    assert code("n sure\nP1\nC1\nM1\nN1\n", *options) == 0
    capsys.readouterr()
    assert code("P2\ns\nM2\nu\nM2\nu\nq\n", *options, "--recode") == 0
    assert "so far: P1" in capsys.readouterr().err
    current = {r["id"]: r for r in current_codings(Path("o.jsonl"))}
    assert {name: r["code"] for name, r in current.items()} == {"u0": "P2", "u1": "C1", "u2": "M1", "u3": "N1"}
    assert current["u0"]["supersedes"] is True
    assert current["u0"]["note"] == "sure"
    # the last act that still stands is u0's recoding: undone in another session, it makes way for the first coding
    assert [r["code"] for r in lines_of(Path("o.jsonl"))] == ["P1", "C1", "M1", "N1", "P2", "M2", "M1", "M2", "M1"]
    assert code("P3\nu\nq\n", *options, "--recode") == 0
    assert {r["id"]: r["code"] for r in current_codings(Path("o.jsonl"))}["u0"] == "P2"


def test_undo_of_a_recoding_in_a_later_session(tmp_path: Path, sample: Path, code: Code) -> None:
    one = written(tmp_path / "one.jsonl", rows(2))
    assert code("P1\n", one, "--coder", "ana", "--out", "o.jsonl") == 0
    assert code("P2\nq\n", one, "--coder", "ana", "--out", "o.jsonl", "--recode") == 0
    assert code("u\nq\n", one, "--coder", "ana", "--out", "o.jsonl") == 0
    assert [r["code"] for r in current_codings(Path("o.jsonl"))] == ["P1"]
    assert code("u\nq\n", one, "--coder", "ana", "--out", "o.jsonl") == 0  # and not P2 again
    assert current_codings(Path("o.jsonl")) == []


def test_another_codebook_brings_its_own_keys(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rude.toml").write_text(RUDENESS)
    options = (sample, "--coder", "ana", "--out", "o.jsonl", "--codebook", "rude.toml")
    assert code("1\ns\nX Y\n3\nC2\n:q\n", *options) == 0
    assert [(r["label"], r["code"]) for r in lines_of(Path("o.jsonl"))] == [
        ("1", None),  # the label 1, which is the second in order
        ("1", "S"),  # a code, so skipping needs a colon
        ("unsure", "x y"),
        ("0", "3"),  # the code 3, not the third label
    ]
    shown = capsys.readouterr().err
    assert ":s skip" in shown
    assert "self-promotion" not in shown
    assert {r["codebook_name"] for r in lines_of(Path("o.jsonl"))} == {"rudeness"}
    # what was coded with one codebook is still to be coded with another
    assert code("1\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    assert len(current_codings(Path("o.jsonl"))) == 5
    assert code(":s\n:s\n:u\n", *options) == 5


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=3), min_size=1, max_size=6))
def test_any_line_has_one_meaning(typed: list[str]) -> None:
    keys = Keys(CODEBOOK)
    known = {code.code for code in CODEBOOK.codes}
    for line in typed:
        key = keys.read(line)
        assert key.act in ("code", "define", "undo", "skip", "note", "quit", "unknown")
        assert (key.act == "code") == (key.label in CODEBOOK.order)
        assert key.code is None or key.code in known
    for code in CODEBOOK.codes:
        assert (keys.read(f" {code.code.lower()} ").label, keys.read(code.code).code) == (code.label, code.code)


def test_only_one_side_of_the_sample(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("1\n1\n1\n", sample, "--coder", "ana", "--out", "o.jsonl", "--split", "test") == 0
    assert [r["id"] for r in lines_of(Path("o.jsonl"))] == ["u1", "u3"]
    assert code("", sample, "--coder", "ana", "--out", "o.jsonl", "--split", "both") == 2
    written(sample, [{"id": 1, "text": "No side."}])
    capsys.readouterr()
    assert code("", sample, "--coder", "ana", "--out", "o.jsonl", "--split", "dev") == 5
    assert "dev side" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": "a", "text": "x"}\nnonsense\n', "line 2 is not JSON"),
        ('{"id": "a", "text": "x"}\n\n[1]\n', "line 3 is no JSON object"),
        ('{"text": "x"}\n', "line 1 has no id"),
        ('{"id": "a"}\n', "line 1 has no text"),
        ('{"id": "a", "text": 3}\n', "line 1 has a text"),
        ('{"id": "a", "text": " "}\n', "line 1 has a text"),
        ('{"id": true, "text": "x"}\n', "line 1 has an id"),
        ('{"id": "a", "text": "x", "role": "author"}\n', "line 1 has a role"),
        ('{"id": "a", "text": "x", "context": []}\n', "line 1 has a context"),
        ('{"id": "7", "text": "x"}\n{"id": 7, "text": "y"}\n', "line 2: id '7' is that of line 1"),
        ("[" * 100_000, "line 1 is not JSON"),
        ("\udcff\udcfe", "cannot be read as text"),
    ],
)
def test_a_sample_that_will_not_do_says_which_line(
    text: str, says: str, sample: Path, code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    sample.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert code("1\n", sample, "--coder", "ana", "--out", "o.jsonl") == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not Path("o.jsonl").exists()


def test_wrong_usage(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    Path("folder").mkdir()
    Path("letter.txt").write_text("dear Ana\n")
    os.mkfifo("pipe")
    for arguments, exit_code in (
        (["missing.jsonl", "--out", "o"], 2),
        ([sample, "--out", sample], 2),
        ([sample, "--out", "-"], 2),
        ([sample, "--out", "folder"], 2),
        ([sample, "--out", "none/o.jsonl"], 2),
        ([sample, "--out", "/dev/null"], 2),
        ([sample, "--out", "pipe"], 2),
        ([sample, "--out", "letter.txt"], 4),
        ([sample], 4),  # no archive here
        ([sample, "--out", "o", "--codebook", "missing.toml"], 4),
    ):
        capsys.readouterr()
        assert code("1\n", *arguments, "--coder", "ana") == exit_code, arguments
        assert capsys.readouterr().err.count("\n") == 1, arguments
    assert Path("letter.txt").read_text() == "dear Ana\n"
    Path("letter.txt").write_text("dear Ana")  # nor is a text without a line end taken for a torn coding
    assert code("1\n", sample, "--out", "letter.txt", "--coder", "ana") == 4
    assert Path("letter.txt").read_text() == "dear Ana"
    assert len(lines_of(sample)) == 4


@pytest.mark.parametrize("name", ["", "../x", ".hidden", "-x", "a/b", "a\0b", "a b", "x" * 65, "a\n"])
def test_a_coder_must_be_a_file_name(name: str) -> None:
    with pytest.raises(UsageError):
        coder_name(name)


def test_who_codes(sample: Path, code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_CODER", "Jose\u0301")
    assert code("1\nq\n", sample, "--out", "o.jsonl") == 0
    monkeypatch.delenv("CHORUS_CODER")
    monkeypatch.setenv("LOGNAME", "system-user")
    assert code("1\nq\n", sample, "--out", "o.jsonl") == 0
    assert [r["coder"] for r in lines_of(Path("o.jsonl"))] == ["Jos\u00e9", "system-user"]


def test_hostile_texts_can_neither_drive_nor_mislead_the_terminal(
    sample: Path, code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31mred\u202eright\u2066to\u2028left\rover\ud800\nlast line"
    unit = rows(1, text=evil, context="\x1b[31m" + "long " * 50_000, role="post")[0]
    written(sample, [{**unit, "label": "meta-talk", "promo": 0.987, "author": "Zed Quux"}])
    assert code("n \x1b[Asly\n\x1b[Bz\n1\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    shown = capsys.readouterr().err
    assert not [c for c in shown if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u202e\u2066\u2028")]
    assert "last line" in shown
    assert not re.search("Zed|0\\.987", shown)
    assert len(shown) < 20_000
    raw = Path("o.jsonl").read_text()
    assert len(raw.splitlines()) == 1  # also for readers to whom U+2028 ends a line
    (row,) = lines_of(Path("o.jsonl"))
    assert row["text"] == evil  # what is kept is what was coded
    assert row["label"] == "self-promotion"
    assert row["note"] == " [Asly"
    assert not {"author", "promo"} & set(row)


@given(st.text(st.characters()))
def test_no_text_gets_through_untamed(text: str) -> None:
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", tame(text))


# -- crashes -----------------------------------------------------------------------------------------------------


def start(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli", "label", "sample.jsonl", "--coder", "ana", "--out", "o.jsonl", *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, **more
    )


def wait_for(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_kill_in_the_middle_of_coding(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    written(sample, rows(3000))
    with start("--quiet") as process:
        assert process.stdin
        process.stdin.write(b"1\n" * 3000)
        wait_for(lambda: Path("o.jsonl").exists() and Path("o.jsonl").stat().st_size > 20_000)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    kept = len(current_codings(Path("o.jsonl")))
    assert 20 < kept < 3000
    assert code("2\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    assert f"1 coded, {3000 - kept - 1} left" in capsys.readouterr().err
    ids = [r["id"] for r in lines_of(Path("o.jsonl"))]
    assert ids == [f"u{n}" for n in range(kept + 1)]


def test_a_torn_last_line_is_moved_aside(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("1\n2\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    out, aside = Path("o.jsonl"), Path("o.jsonl.torn")
    whole = out.read_bytes()
    torn = '{"id": "u2", "label": "négl'.encode()[:-1]
    out.write_bytes(whole + torn)
    assert len(current_codings(out)) == 2  # a reader needs no healing
    capsys.readouterr()
    assert code("3\nq\n", sample, "--coder", "ana", "--out", "o.jsonl") == 0
    assert "o.jsonl.torn" in capsys.readouterr().err
    assert aside.read_bytes() == torn + b"\n"
    assert out.read_bytes().startswith(whole)
    assert [r["id"] for r in lines_of(out)] == ["u0", "u1", "u2"]
    # a line that only lacks its end is whole; zeros are what a power cut leaves
    out.write_bytes(out.read_bytes()[:-1])
    with open_journal(out) as journal:
        assert (len(journal.rows), journal.moved) == (3, None)
    out.write_bytes(out.read_bytes() + b"\0" * 100)
    with open_journal(out) as journal:
        assert (len(journal.rows), journal.moved) == (3, aside)
    assert len(lines_of(out)) == 3
    assert aside.read_bytes() == torn + b"\n" + b"\0" * 100 + b"\n"


def test_every_cut_of_the_last_line_heals(tmp_path: Path) -> None:
    path = tmp_path / "ana.jsonl"
    written(path, [{"id": "a", "label": "x"}, {"id": "b", "label": "y", "text": "ü{}"}])
    data = path.read_bytes()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        with open_journal(path) as journal:
            journal.append({"id": "c", "label": "z"})
        kept = [row["id"] for row in lines_of(path)]
        whole = (size >= data.index(b"\n")) + (size >= len(data) - 1)
        assert kept == [*"ab"[:whole], "c"]


def test_a_line_in_the_middle_that_is_no_coding_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ana.jsonl"
    path.write_bytes(b'{"id": "a", "label": "x"}\n{"id": "b"\n{"id": "c", "label": "x"}\n')
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match="line 2"):
        current_codings(path)
    with pytest.raises(ArchiveError, match="line 2"), open_journal(path):
        pass
    assert path.read_bytes() == before


def test_a_full_disk_leaves_no_half_line(sample: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    with start(preexec_fn=small) as process:
        _, error = process.communicate(b"1\n1\n1\n1\n", timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in error
    assert [r["id"] for r in lines_of(Path("o.jsonl"))] == ["u0"]
    assert Path("o.jsonl").read_bytes().endswith(b"}\n")


def test_one_writer_at_a_time(sample: Path, code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    with open_journal(Path("o.jsonl")) as journal:
        assert code("1\n", sample, "--coder", "ben", "--out", "o.jsonl") == 4
        assert "another process" in capsys.readouterr().err
        journal.append({"id": "u0", "label": "neither", "coder": "ana"})
        with pytest.raises(ArchiveLocked), open_journal(Path("o.jsonl")):
            pass
    assert code("1\nq\n", sample, "--coder", "ben", "--out", "o.jsonl") == 0
    assert isinstance(journal, Journal)


# -- on a terminal -------------------------------------------------------------------------------------------------


class Terminal:
    """A shell command with a terminal of its own."""

    def __init__(self, command: str) -> None:
        self.seen = b""
        self.process, self.end = pty.fork()
        if self.process == 0:
            os.environ.update(TERM="xterm", COLUMNS="80")
            # a test run in the background of a script ignores Ctrl-C, and what it starts would, too
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execl("/bin/sh", "sh", "-c", command)

    def expect(self, what: str, seconds: float = 60.0) -> str:
        """Read on until ``what`` stands on the screen; returns what came, and forgets it."""
        end = time.monotonic() + seconds
        while what.encode() not in self.seen:
            assert time.monotonic() < end, self.seen.decode(errors="replace")
            if select.select([self.end], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.end, 65536)
                except OSError:  # the other side is closed
                    assert what.encode() in self.seen, self.seen.decode(errors="replace")
        head, _, self.seen = self.seen.partition(what.encode())
        return (head + what.encode()).decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self.end, keys.encode())

    def exit_code(self) -> int:
        _, status = os.waitpid(self.process, 0)
        os.close(self.end)
        return os.waitstatus_to_exitcode(status)


LABEL = f"{sys.executable} -m cli label"


@pytest.fixture
def on_terminal() -> Iterator[Callable[[str], Terminal]]:
    opened: list[Terminal] = []

    def run(command: str) -> Terminal:
        opened.append(Terminal(command))
        return opened[-1]

    yield run
    for one in opened:
        try:
            os.kill(one.process, signal.SIGKILL)
            os.waitpid(one.process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def test_on_a_terminal(sample: Path, on_terminal: Callable[[str], Terminal]) -> None:
    written(sample, rows(3, context="What came before."))
    terminal = on_terminal(f"{LABEL} sample.jsonl --coder ana --out o.jsonl --json > summary.json")
    shown = terminal.expect("> ")
    assert "\x1b[1mSentence number 0.\x1b[0m" in shown
    assert "\x1b[2mbefore: What came before.\x1b[0m" in shown
    assert "1 of 3" in shown
    terminal.type("C5\x7f2\n")  # the terminal's own line editing: backspace
    terminal.expect("2 of 3")
    assert lines_of(Path("o.jsonl"))[0]["id"] == "u0"  # kept before the next one is shown
    terminal.expect("> ")
    terminal.type("\x04")  # Ctrl-D
    terminal.expect("1 coded, 2 left: o.jsonl")
    assert terminal.exit_code() == 0
    assert json.loads(Path("summary.json").read_text())["coded"] == 1


def test_ctrl_c_keeps_all(sample: Path, on_terminal: Callable[[str], Terminal]) -> None:
    terminal = on_terminal(f"exec {LABEL} sample.jsonl --coder ana --out o.jsonl")
    terminal.expect("> ")
    terminal.type("1\n")
    terminal.expect("2 of 4")
    terminal.expect("> ")
    terminal.type("\x03")
    assert "1 coded, 3 left" in terminal.expect("interrupted")
    assert terminal.exit_code() == 130
    assert [r["id"] for r in lines_of(Path("o.jsonl"))] == ["u0"]


def test_a_sample_from_stdin_takes_its_keys_from_the_terminal(
    sample: Path, code: Code, on_terminal: Callable[[str], Terminal]
) -> None:
    terminal = on_terminal(f"cat sample.jsonl | {LABEL} - --coder ana --out o.jsonl")
    terminal.expect("> ")
    terminal.type("M1\n")
    terminal.expect("2 of 4")
    terminal.type("q\n")
    terminal.expect("1 coded, 3 left")
    assert terminal.exit_code() == 0
    assert lines_of(Path("o.jsonl"))[0]["code"] == "M1"
    result = subprocess.run(
        [*LABEL.split(), "-", "--out", "o.jsonl"], input=sample.read_bytes(), capture_output=True, check=False,
        start_new_session=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 2
    assert b"no terminal" in result.stderr


# -- in an archive -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One thread of the sample blog, imported as a page."""
    folder = tmp_path_factory.mktemp("label")
    with SampleBlog() as blog:
        url = blog.post_urls[0]
        (folder / "page.html").write_bytes(blog.pages["/" + url.split("/", 3)[3]][1])
    assert main(["import", str(folder / "page.html"), "--url", url, "-a", str(folder / "a"), "--quiet"]) == 0
    return folder / "a"


def test_the_coder_sees_what_a_comment_answers_but_not_who_wrote_it(
    archive: Path, tmp_path: Path, code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["sample", "-n", "500", "-a", str(archive)]) == 0
    units = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["export", "--as", "jsonl", "-a", str(archive)]) == 0
    thread = json.loads(capsys.readouterr().out)
    by_id = {entry["id"]: entry for entry in [thread["post"], *thread["comments"]]}
    parents = {u["id"]: by_id.get(by_id[u["entry_id"]].get("parent_id") or thread["post"]["id"]) for u in units}
    replies = [u for u in units if by_id[u["entry_id"]].get("parent_id")]
    direct = next(u for u in units if u["role"] == "comment" and not by_id[u["entry_id"]]["parent_id"])
    post = next(u for u in units if u["role"] == "post")
    assert replies
    names = {entry["author"] for entry in by_id.values() if entry["author"]}
    for unit, kind in ((replies[0], "comment"), (direct, "post"), (post, None)):
        sample = written(tmp_path / "one.jsonl", [unit])
        assert code("q\n", sample, "--coder", "ana", "-a", archive) == 0
        shown = " ".join(capsys.readouterr().err.split())
        parent = parents[unit["id"]]
        texts = " ".join(part or "" for part in (unit["text"], unit["context"], parent and parent["text"]))
        assert not [name for name in names if name in shown and name not in texts]
        if kind is None:
            assert "answers the" not in shown
        else:
            assert parent
            beginning = " ".join(parent["text"].split())[:60]
            assert f"answers the {kind}: {beginning}" in shown
    changed = written(tmp_path / "one.jsonl", [{**direct, "entry_id": "gone"}, {**direct, "id": 2, "thread_id": "no"}])
    assert code("1\n1\n", changed, "--coder", "stray", "-a", archive) == 0
    assert "answers" not in capsys.readouterr().err


def test_agreement_counts_the_newest_codings_of_all_coders(
    archive: Path, tmp_path: Path, sample: Path, code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    there = Archive.open(archive).annotations_dir
    for old in there.glob("*.jsonl"):
        old.unlink()
    assert main(["agreement", "-a", str(archive)]) == 5
    where = ("-a", str(archive))
    assert code("P1\nC1\nu\nM1\nN1\nC1\n", sample, "--coder", "ana", *where) == 0
    assert code("P2\nC2\nM2\nC2\n", sample, "--coder", "ben", *where) == 0
    assert code("s\nM1\ns\ns\n", sample, "--coder", "ben", "--recode", *where) == 0
    assert code("s\ns\nN1\nq\n", sample, "--coder", "ben", "--recode", *where) == 0
    assert [len(lines_of(there / f"{name}.jsonl")) for name in ("ana", "ben")] == [6, 6]
    assert len(current_codings(Archive.open(archive))) == 8
    capsys.readouterr()
    for arguments in (where, [str(there / "ana.jsonl"), str(there / "ben.jsonl")]):
        assert main(["agreement", *arguments]) == 0
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert (found[0]["what"], found[0]["units"], found[0]["alpha"]) == ("all labels", 4, 1.0)
        assert found[-1]["what"] == "ana and ben"
    Path("rude.toml").write_text(RUDENESS)
    assert code("1\nq\n", sample, "--coder", "ana", "--codebook", "rude.toml", *where) == 0
    assert code("0\nq\n", sample, "--coder", "ben", "--codebook", "rude.toml", *where) == 0
    capsys.readouterr()
    assert main(["agreement", *where]) == 2  # labels of two codebooks cannot be compared
    assert "rudeness 3" in capsys.readouterr().err
    assert main(["agreement", "--codebook", "rude.toml", *where]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["agreement"] == 0.0


def test_agreement_passes_over_what_was_taken_back(
    sample: Path, code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("1\n2\n3\n4\n", sample, "--coder", "ana", "--out", "ana.jsonl") == 0
    assert code("1\n2\n3\n1\n", sample, "--coder", "ben", "--out", "ben.jsonl") == 0
    assert code("1\n", written(Path("more.jsonl"), rows(5)), "--coder", "ben", "--out", "ben.jsonl") == 0
    assert code("u\nu\nq\n", "more.jsonl", "--coder", "ben", "--out", "ben.jsonl") == 5  # nothing was left to code
    assert code("u\nu\nq\n", written(Path("more.jsonl"), rows(6)), "--coder", "ben", "--out", "ben.jsonl") == 0
    capsys.readouterr()
    assert main(["agreement", "ana.jsonl", "ben.jsonl"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (found["units"], found["agreement"]) == (3, 1.0)


def test_newest_by_coder_and_codebook() -> None:
    made: list[dict[str, Any]] = [
        {"id": 1, "coder": "a", "codebook": "x", "label": "p"},
        {"id": "1", "coder": "b", "codebook": "x", "label": "q"},
        {"id": "1", "coder": "a", "codebook": "y", "label": "r"},
        {"id": "1", "coder": "a", "codebook": "x", "label": "s", "supersedes": True},
        {"id": "1", "coder": "b", "codebook": "x", "label": "q", "withdrawn": True},
    ]
    assert [row["label"] for row in newest(made)] == ["r", "s"]


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["label", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples:" in shown
    assert r"printf '1\nC2\nq\n' | chorus label" in shown

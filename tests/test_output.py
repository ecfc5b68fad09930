"""Tables, CSV and JSON on stdout: safe for terminals, spreadsheets and parsers whatever the text holds."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import display_width, emit, printable, shorten

ROWS: list[dict[str, object]] = [{"a": "=1+1", "b": None, "c": 2}, {"a": "tab\tnew\nline", "b": True, "c": -0.5}]


def written(fmt: str, rows: list[dict[str, object]]) -> str:
    out = io.StringIO()
    assert emit(rows, ("a", "b", "c"), fmt, out=out) == len(rows)
    return out.getvalue()


def test_csv_escapes_formulas_but_not_numbers() -> None:
    rows = list(csv.reader(io.StringIO(written("csv", ROWS))))
    assert rows == [["a", "b", "c"], ["'=1+1", "", "2"], ["tab\tnew\nline", "yes", "-0.5"]]


def test_json_is_one_array_and_jsonl_one_object_a_line() -> None:
    assert json.loads(written("json", ROWS)) == ROWS
    assert [json.loads(line) for line in written("jsonl", ROWS).splitlines()] == ROWS


def test_table_has_a_line_a_row() -> None:
    assert len(written("table", ROWS).splitlines()) == 3
    assert written("table", []) == ""


def test_terminal_never_sees_control_characters() -> None:
    assert "\x1b" not in printable("\x1b[31mred\x07")


@given(st.text(st.characters(codec=None)), st.integers(2, 40))
@pytest.mark.parametrize("fmt", ["table", "csv", "jsonl"])
def test_any_text_can_be_written(fmt: str, text: str, width: int) -> None:
    out = io.StringIO()
    emit([{"a": text}], ("a",), fmt, out=out)
    out.getvalue().encode("utf-8")
    assert display_width(shorten(text, width)) <= width

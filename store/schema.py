"""Arrow, JSON and CSV forms of the records, derived from their type hints: one place says what a column is."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    import pyarrow as pa

R = TypeVar("R")

#: A cell starting so is run as a formula by spreadsheets; it gets a leading apostrophe (OWASP, "CSV injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_cell(text: str) -> str:
    """``text`` so that no spreadsheet runs it."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _optional(hint: Any) -> tuple[Any, bool]:
    """``hint`` without ``None``, and whether ``None`` was allowed."""
    if get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in get_args(hint) if part is not type(None)]
        if len(rest) == 1:
            return rest[0], True
        raise TypeError(f"{hint}: only one type besides None")
    return hint, False


def arrow_schema(cls: type) -> pa.Schema:
    """The Arrow schema of a record class; fields that may not be ``None`` are marked as not nullable in its metadata only."""
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow_type(hint)) for name, hint in _hints(cls).items()])


def _arrow_type(hint: Any) -> pa.DataType:
    import pyarrow as pa

    hint, _ = _optional(hint)
    plain = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if hint in plain:
        return plain[hint]
    if get_origin(hint) is Literal:
        return pa.string()
    if get_origin(hint) is tuple:
        return pa.list_(_arrow_type(get_args(hint)[0]))
    if get_origin(hint) is dict:
        return pa.string()
    if dataclasses.is_dataclass(hint):
        return pa.struct([pa.field(name, _arrow_type(part)) for name, part in _hints(typing.cast(type, hint)).items()])
    raise TypeError(f"no Arrow type for {hint}")


def to_row(record: Any) -> dict[str, Any]:
    """A record as plain values that Arrow takes."""
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_row(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # Arrow takes no lone surrogates
    return value


def from_row(cls: type[R], row: dict[str, Any]) -> R:
    """The record of a row that ``to_row`` made; columns that the class does not have are left out."""
    hints = _hints(typing.cast(Any, cls)).items()
    # a list that is null was written before there was such a column
    known = (
        (name, hint) for name, hint in hints if row.get(name) is not None or get_origin(_optional(hint)[0]) is not tuple
    )
    return cls(**{name: _typed(hint, row.get(name)) for name, hint in known})


def _typed(hint: Any, value: Any) -> Any:
    hint, _ = _optional(hint)
    if value is None:
        return None
    if get_origin(hint) is tuple:
        return tuple(_typed(get_args(hint)[0], item) for item in value)
    if get_origin(hint) is dict:
        return json.loads(value)
    if dataclasses.is_dataclass(hint):
        return from_row(typing.cast(type, hint), value)
    return value


def csv_columns(cls: type) -> list[str]:
    """Column names for CSV: nested records are spread as ``name.part``, lists stay one column."""
    columns: list[str] = []
    for name, hint in _hints(cls).items():
        inner, _ = _optional(hint)
        if dataclasses.is_dataclass(inner):
            columns += [f"{name}.{part}" for part in csv_columns(typing.cast(type, inner))]
        else:
            columns.append(name)
    return columns


def csv_row(record: Any) -> dict[str, Any]:
    """A record under ``csv_columns``: lists of text joined by spaces, other lists as JSON."""
    row: dict[str, Any] = {}
    for name, value in to_row(record).items():
        if isinstance(value, dict):
            row.update({f"{name}.{part}": inner for part, inner in value.items()})
        elif isinstance(value, list):
            row[name] = " ".join(value) if all(isinstance(v, str) for v in value) else json.dumps(value)
        else:
            row[name] = value
    return row


def json_schema(cls: type) -> dict[str, Any]:
    """JSON Schema (2020-12) of a record's JSON form."""
    hints = _hints(cls)
    required = [name for name, hint in hints.items() if not _optional(hint)[1]]
    return {"type": "object", "properties": {n: _json_type(h) for n, h in hints.items()}, "required": required}


def _json_type(hint: Any) -> dict[str, Any]:
    inner, nullable = _optional(hint)
    if nullable:
        return {"anyOf": [_json_type(inner), {"type": "null"}]}
    plain = {str: "string", int: "integer", float: "number", bool: "boolean"}
    if inner in plain:
        return {"type": plain[inner]}
    if get_origin(inner) is Literal:
        return {"enum": list(get_args(inner))}
    if get_origin(inner) is tuple:
        return {"type": "array", "items": _json_type(get_args(inner)[0])}
    if get_origin(inner) is dict:
        return {"type": "object"}
    return json_schema(inner)

"""The query language: words, ``"phrases"``, ``field:value``, and ``-`` before any of them for what must not be there.

Whatever is typed can be understood: marks that make no sense are plain words. Only a field's impossible value (a month
13, an unknown kind) raises ``UsageError``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from store.filters import Condition
from store.words import raw_words

__all__ = ["FIELDS", "MAX_CHARACTERS", "Query", "parse_query"]

#: Fields that a query may limit, beside the words: what the command line has as options.
FIELDS = ("author", "site", "label", "kind", "before", "after", "since", "until", "thread")

#: The model reads 256 word pieces; a longer question says nothing more to it, and full text needs no more either.
MAX_CHARACTERS = 2_000

#: Each of these is looked up by itself; a pasted page shall cost no more than a question.
MAX_CLAUSES = 32

_PART = re.compile(
    r'(?<!\S)(?P<minus>-(?=[\w"]))?(?:(?P<field>[A-Za-z]{4,6}):(?=[^\s"]|"[^"]*[^\s"]))?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))'
    r'|"(?P<phrase>[^"]*)"|(?P<rest>[^\s"]+)'
)
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart.

    ``text`` is what an embedding is made of: words and phrases as typed, without marks. ``words`` are their normal forms
    (``store.words``), repeats kept; each of ``phrases`` (word sequences) must stand in a passage, none of ``without``
    may. ``conditions`` come from the fields.
    """

    text: str = ""
    words: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    without: tuple[tuple[str, ...], ...] = ()
    conditions: tuple[Condition, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it asks for nothing at all."""
        return not (self.text or self.without or self.conditions)

    @property
    def strict(self) -> bool:
        """Whether some words must stand in a passage, or must not."""
        return bool(self.phrases or self.without)

    def with_all_words(self) -> Query:
        """The same, where every word must stand in a passage."""
        single = tuple((word,) for word in dict.fromkeys(self.words))
        return Query(self.text, self.words, (*self.phrases, *single), self.without, self.conditions)


def parse_query(text: str) -> Query:
    """Take a query apart; it is read up to ``MAX_CHARACTERS``. Raises ``UsageError`` for a field's impossible value."""
    plain: list[str] = []
    phrases: list[tuple[str, ...]] = []
    without: list[tuple[str, ...]] = []
    conditions: list[Condition] = []
    clean = _CONTROL.sub(" ", text[:MAX_CHARACTERS].translate(_QUOTES))
    for match in _PART.finditer(clean):
        field, minus = (match["field"] or "").lower(), match["minus"] is not None
        quoted = match["quoted"] if match["quoted"] is not None else match["phrase"]
        value = quoted if quoted is not None else match["bare"] or match["rest"] or ""
        said = tuple(raw_words(value))
        if field in FIELDS:
            conditions.append(Condition.of(field, value.strip(), negated=minus))
        elif minus:
            without += [said] if said else []
        else:
            plain.append(f"{match['field']}:{value}" if match["field"] else value)
            phrases += [said] if quoted is not None and said else []
    meant = " ".join(part for part in " ".join(plain).split() if part)
    return Query(
        meant,
        tuple(raw_words(meant)),
        tuple(phrases[:MAX_CLAUSES]),
        tuple(without[:MAX_CLAUSES]),
        tuple(conditions[:MAX_CLAUSES]),
    )

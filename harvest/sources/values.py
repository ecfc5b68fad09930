"""The values of one comment that several sources tell: which to believe, and what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from harvest.dates import ReadDate
from harvest.extract.items import Reading
from harvest.sources.items import Said, Source
from store.records import EntryState

#: The state that tells most is believed: only the one who knows more says that a comment was deleted.
_STATE_RANK: dict[EntryState, int] = {"deleted": 0, "pending": 1, "hidden": 2, "visible": 3}
_PRECISION = ("year", "month", "day", "hour", "minute", "second")
#: Characters of ``isoformat`` up to each precision.
_CUT = {"year": 4, "month": 7, "day": 10, "hour": 13, "minute": 16, "second": 19}
#: Clocks on earth differ from UTC by no more, and in steps of a quarter of an hour.
_FARTHEST = timedelta(hours=14)
_STEP = timedelta(minutes=15)
_SAME_CHARACTERS = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u00a0", "''\"\"-- ")
#: Characters of a text that a note quotes.
QUOTED = 200

Voice = tuple[Source, Said]


@dataclass(frozen=True, slots=True)
class Note:
    """One disagreement: what was believed and what not. Parents are keys here and native ids in the row."""

    native_id: str | None
    field: str
    chosen: str | None
    source: str | None
    other: str | None
    other_source: str | None

    def row(self, names: Mapping[str, str | None]) -> dict[str, Any]:
        """The note as a plain row; ``names`` maps keys to native ids."""
        chosen, other = self.chosen, self.other
        if self.field == "parent":
            chosen, other = names.get(chosen or "", chosen), names.get(other or "", other)
        return {
            "native_id": self.native_id,
            "field": self.field,
            "chosen": chosen,
            "source": self.source,
            "other": other,
            "other_source": self.other_source,
        }


def by_key(sources: Iterable[Source]) -> dict[str, list[Voice]]:
    """What is said of each comment, in the order in which the comments were first met."""
    found: dict[str, list[Voice]] = {}
    for source in sources:
        for said in source.items:
            found.setdefault(said.key, []).append((source, said))
    return found


def combine(heard: list[Voice], writers: frozenset[str], notes: list[Note]) -> Reading:
    """One reading of all that is said of one comment. ``writers`` are the ids of the post's author."""
    readings = [said.reading for _, said in heard]
    native = next((one.native_id for one in readings if one.native_id), None)
    text = _text(native, heard, notes)
    return replace(
        readings[0],
        text=text.text,
        links=text.links,
        native_id=native,
        author=_author(native, heard, notes),
        author_url=next((one.author_url for one in readings if one.author_url), None),
        date=_date(native, heard, notes),
        permalink=next((one.permalink for one in readings if one.permalink), None),
        kind=next((one.kind for one in readings if one.kind != "comment"), "comment"),
        state=min((one.state for one in readings), key=lambda state: _STATE_RANK[state]),
        is_post_author=any(said.reading.is_post_author or said.writer in writers for _, said in heard),
    )


def flat(text: str) -> str:
    """All white space as one space, typographic quotes and dashes as plain ones."""
    return re.sub(r"\s+", " ", text.translate(_SAME_CHARACTERS)).strip()


def _author(native: str | None, heard: list[Voice], notes: list[Note]) -> str | None:
    """The API's name, else the page's; spelt as the API or the feed has it, for a theme may set a name's quotes in type."""
    ranks = {"api": 0, "page": 1, "feed": 2}
    told = [(source.name, said.reading.author) for source, said in heard if said.reading.author]
    given = [(source, name) for source, name in sorted(told, key=lambda one: ranks[one[0]]) if name]
    if not given:
        return None
    source, chosen = given[0]
    for other_source, other in given[1:]:
        if not _alike(other, chosen):
            notes.append(Note(native, "author", chosen, source, other, other_source))
    return next((name for name_source, name in given if name_source != "page" and _alike(name, chosen)), chosen)


def _alike(one: str, other: str) -> bool:
    """Whether two names have the same letters: quotes set in type and emoji drawn as pictures make no other name."""
    return re.sub(r"[\W_]", "", one) == re.sub(r"[\W_]", "", other)


def _text(native: str | None, heard: list[Voice], notes: list[Note]) -> Reading:
    """The page's own text; another's where that says all that the page says and more (cut texts, drawn emoji)."""
    best = next((voice for voice in heard if voice[1].reading.text and not _bare(voice[1].reading)), heard[0])
    for voice in heard:
        longer = len(voice[1].reading.text) > len(best[1].reading.text)
        if longer and within(best[1].reading.text, voice[1].reading.text):
            best = voice
    chosen = best[1].reading.text
    for source, said in heard:
        other = said.reading.text
        if other and source is not best[0] and flat(other) != flat(chosen):
            notes.append(Note(native, "text", chosen[:QUOTED], best[0].name, other[:QUOTED], source.name))
    return best[1].reading


def _bare(one: Reading) -> bool:
    """Whether a pingback says no more than who sent it: ``Pingback: The page's title``."""
    return (
        one.kind != "comment"
        and bool(one.author)
        and len(one.text) < len(one.author or "") + 20
        and one.text.endswith(one.author or "")
    )


def within(short: str, long: str) -> bool:
    """Whether all characters of ``short``, white space and dots of omission aside, stand in ``long`` in the same order."""
    rest = iter(long)
    return all(char in rest for char in re.sub(r"\s|\[?(?:…|\.{3})\]?$", "", short))


def _date(native: str | None, heard: list[Voice], notes: list[Note]) -> ReadDate | None:
    """The most exact date, on the page's own clock and in its words; what contradicts it is noted."""
    given = [(source.name, said.reading.date) for source, said in heard if said.reading.date]
    dated = [(source, date) for source, date in given if date and date.iso]
    if not dated:
        return given[0][1] if given else None
    source, best = max(dated, key=lambda one: _exactness(one[1]))
    for other_source, other in dated:
        if not same_time(best, other):
            notes.append(Note(native, "date", best.iso, source, other.iso, other_source))
    printed = next((date for name, date in given if name == "page" and date), best)
    return ReadDate(_on_clock(best, printed), best.precision, printed.raw)


def _exactness(date: ReadDate) -> tuple[int, bool, bool]:
    """More is better: finer, with an offset, with one that is a place's and not just UTC."""
    offset = re.search(r"(?:Z|[+-]\d\d:\d\d)$", date.iso or "")
    place = offset is not None and offset.group() not in ("Z", "+00:00")
    return _PRECISION.index(date.precision or "day"), offset is not None, place


def _moment(date: ReadDate) -> datetime | None:
    try:
        return datetime.fromisoformat(date.iso or "")
    except ValueError:
        return None


def same_time(one: ReadDate, other: ReadDate) -> bool:
    """Whether two dates can be the same moment, as far as both are exact. A clock without offset may stand anywhere."""
    a, b = _moment(one), _moment(other)
    if a is None or b is None:
        return False
    cut = min(_CUT[one.precision or "day"], _CUT[other.precision or "day"])
    if a.tzinfo and b.tzinfo:
        return a.astimezone(b.tzinfo).isoformat()[:cut] == b.isoformat()[:cut]
    if a.tzinfo or b.tzinfo:
        apart = abs(_wall(a) - _wall(b))
        return apart <= _FARTHEST + timedelta(days=1) * (cut <= _CUT["day"])
    return a.isoformat()[:cut] == b.isoformat()[:cut]


def _wall(moment: datetime) -> datetime:
    """The clock in UTC, or the clock as it is where no offset is known."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _on_clock(best: ReadDate, printed: ReadDate) -> str | None:
    """``best`` on the clock that the page printed, where the two show how far that is from UTC."""
    moment, clock = _moment(best), _moment(printed)
    if printed is best or moment is None or clock is None or moment.utcoffset() != timedelta(0):
        return best.iso
    if clock.tzinfo:
        return moment.astimezone(clock.tzinfo).isoformat()
    if printed.precision not in ("minute", "second"):
        return best.iso
    floor = _wall(moment).replace(second=0) if printed.precision == "minute" else _wall(moment)
    apart = clock - floor
    if abs(apart) > _FARTHEST or apart % _STEP or not apart:
        return best.iso
    return moment.astimezone(timezone(apart)).isoformat()

"""Dates as pages print them, in several languages, without guessing what is not there.

Common absolute forms go through regular expressions (a page holds thousands of strings, and ``dateparser`` takes
milliseconds for each); what they do not know goes to ``dateparser`` only when an element is marked as a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

from store.records import Precision

Order = Literal["dmy", "mdy"]

#: Month names and abbreviations, month by month; several languages share one table because no name is ambiguous.
_MONTHS = (
    "january jan januar janvier janv enero ene gennaio gen janeiro januari jän jänner stycznia leden января",
    "february feb februar février févr fév febrero febbraio fevereiro fev februari lutego února февраля",
    "march mar märz mär mrz mars marzo março maart mrt marca března марта",
    "april apr avril avr abril abr aprile kwietnia dubna апреля",
    "may mai mayo maggio mag maio mei maj maja května мая",
    "june jun juni juin junio giugno giu junho czerwca června июня",
    "july jul juli juillet juil julio luglio lug julho lipca července июля",
    "august aug août aout agosto ago augustus augusti sierpnia srpna августа",
    "september sep sept septembre septiembre settembre set setembro września září сентября",
    "october oct oktober okt octobre octubre ottobre ott outubro out października října октября",
    "november nov novembre noviembre novembro listopada listopadu ноября",
    "december dec dezember dez décembre déc diciembre dic dicembre dezembro grudnia prosince декабря",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}

_MONTH = "(?P<mon>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?<!\d)(?P<d>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?"
_YEAR = r"(?:(?P<y>(?:19|20)\d\d)(?!\d)|['’](?P<y2>\d\d)(?!\d))"
_DATES = (
    r"(?P<iso>(?<!\d)(?P<y>(?:19|20)\d\d)[-./](?P<m>\d{1,2})[-./](?P<d>\d{1,2})(?!\d))",
    rf"\b{_MONTH}\s*{_DAY}\s*,?\s*(?:of\s*)?{_YEAR}",
    rf"{_DAY}[\s-]*(?:de\s+|of\s+|di\s+|d['’])?{_MONTH}[\s,-]*(?:de\s+|del\s+)?{_YEAR}",
    r"(?P<num>(?<![\d.])(?P<a>\d{1,2})(?P<sep>[./-])\s?(?P<b>\d{1,2})(?:(?P=sep)|,)\s?(?P<y>(?:19|20)\d\d|\d\d)(?![\d]|[./-]\d))",
    r"(?P<y>(?:19|20)\d\d)年\s*(?P<m>\d{1,2})月\s*(?P<d>\d{1,2})日",
)
_TIME = (
    r"(?P<h>(?<![\d.])\d{1,2})(?:[:.hH]|\s?h\s?)(?P<mi>\d{2})(?:[:.](?P<s>\d{2}))?(?!\d)\s*(?P<ap>[ap]\.?\s?m\b\.?)?"
    r"|(?P<h2>(?<![\d.])\d{1,2})\s*(?P<ap2>[ap]\.?m\b\.?)"
)
_ZONE = r"(?:\s*(?P<z>Z\b|UTC\b|GMT\b)?\s?(?P<off>[+-]\d\d:?\d\d)?)"
_GLUE = r"[\s,|@•·–—/()-]*(?:(?:at|um|on|à|a las|às|alle ore|alle|ore|kl\.?|op|om|le|the|o|,)\b[\s,|@:-]*)?"
_WEEKDAY = r"(?:\b[^\W\d_]{2,10}\.?,?\s+)?"

_ABSOLUTE = tuple(re.compile(rf"{date}(?:{_GLUE}(?:{_TIME}){_ZONE})?", re.I) for date in _DATES)
_TIME_FIRST = tuple(re.compile(rf"(?:{_TIME})(?:\s*(?:uhr|hrs?))?{_GLUE}{_WEEKDAY}{date}", re.I) for date in _DATES)
_MONTH_ONLY = re.compile(rf"^\W*{_MONTH}\s+(?P<y>(?:19|20)\d\d)\W*$", re.I)
_MACHINE = re.compile(
    r"^\s*(?P<date>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.\d+)?\s*(?P<off>Z|[+-]\d\d:?\d\d)?)?\s*$",
    re.I,
)

#: Unit words to the unit's precision and its length in seconds.
_UNITS: tuple[tuple[str, Precision, int], ...] = (
    ("seconds? secs? sekunden? secondes? segundos? secondi", "second", 1),
    ("minutes? mins? minuten? minutos? minuti", "minute", 60),
    ("hours? hrs? stunden? heures? horas? ore", "hour", 3600),
    ("days? tage?n? jours? días? dias? giorni", "day", 86400),
    ("weeks? wochen? semaines? semanas? settimane", "day", 7 * 86400),
    ("months? monate?n? mois mese meses mesi", "month", 30 * 86400),
    ("years? yrs? jahre?n? ans? años? anos? anni", "year", 365 * 86400),
)
_UNIT = "|".join(word for words, _, _ in _UNITS for word in words.split())
RELATIVE = re.compile(
    rf"(?:(?:vor|il y a|hace|há|fa)\s+)(?P<n1>\d+|an?|eine[rmn]?|une?)\s+(?P<u1>{_UNIT})\b"
    rf"|(?P<n2>\d+|\ban?|\bone)\s+(?P<u2>{_UNIT})\s+(?:\d+\s+(?:{_UNIT})\s+)?(?:ago|her|fa|atrás|geleden)\b"
    r"|\b(?P<day>yesterday|today|gestern|heute|hier|aujourd['’]hui|ayer|hoy|just now)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class ReadDate:
    """A date found in text: ISO 8601 (offset only where printed), how exact it is, and the words themselves.

    ``iso`` is ``None`` for a relative date whose anchor is unknown.
    """

    iso: str | None
    precision: Precision | None
    raw: str


def machine_date(value: str | None) -> ReadDate | None:
    """An ISO 8601 or epoch value as attributes hold it (``datetime``, ``data-time``)."""
    if not value:
        return None
    value = value.strip()
    if re.fullmatch(r"1\d{9}(?:\d{3})?", value):
        moment = datetime.fromtimestamp(int(value[:10]), tz=_utc())
        return ReadDate(moment.isoformat().replace("+00:00", "Z"), "second", value)
    match = _MACHINE.match(value)
    if not match:
        return None
    clock, offset = match["time"], match["off"] or ""
    iso = match["date"] + (f"T{clock}{offset.upper()}" if clock else "")
    if _moment(iso) is None:
        return None
    return ReadDate(iso, "day" if not clock else "second" if clock.count(":") == 2 else "minute", value)


def _utc() -> timezone:
    return UTC


def _moment(iso: str) -> datetime | None:
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        return None


def numeric_order(texts: Iterable[str], language: str | None) -> Order:
    """Whether 3/4/2012 is the third of April here: some date on the page usually tells, else the language does."""
    for text in texts:
        for match in _ABSOLUTE[3].finditer(text):
            if int(match["a"]) > 12 >= int(match["b"]):
                return "dmy"
            if int(match["b"]) > 12 >= int(match["a"]):
                return "mdy"
    return "mdy" if (language or "en")[:2] == "en" and (language or "").lower() not in ("en-gb", "en-au") else "dmy"


def find_date(text: str, order: Order = "mdy") -> ReadDate | None:
    """The first absolute date in ``text`` (with its time, before or after it)."""
    text = text.replace("\u00a0", " ").replace("\u202f", " ")
    if not any(char.isdigit() for char in text):
        return None
    best: tuple[int, int, ReadDate] | None = None
    for patterns in (_TIME_FIRST, _ABSOLUTE):
        for pattern in patterns:
            match = pattern.search(text)
            read = _read(match, order) if match else None
            if match and read and (best is None or (match.start(), -match.end()) < best[:2]):
                best = (match.start(), -match.end(), read)
    return best[2] if best else None


def _read(match: re.Match[str], order: Order) -> ReadDate | None:
    part = match.groupdict()
    day = _calendar(part, order)
    if day is None:
        return None
    clock, precision = _clock(part)
    iso = day + clock + (_offset(part) if clock else "")
    return ReadDate(iso, precision, match.group().strip(" ,|@•·–—-(")) if _moment(iso) else None


def _calendar(part: dict[str, str | None], order: Order) -> str | None:
    year = int(part.get("y") or part.get("y2") or 0)
    if year < 100:  # two digits: POSIX's window
        year += 2000 if year < 69 else 1900
    if part.get("num"):
        first, second = int(part["a"] or 0), int(part["b"] or 0)
        day_first = part["sep"] == "." or (order == "dmy" and second <= 12) or first > 12
        day, month = (first, second) if day_first else (second, first)
    else:
        day = int(part["d"] or 0)
        name = part.get("mon")
        month = MONTHS[name.lower()] if name else int(part["m"] or 0)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{year:04d}-{month:02d}-{day:02d}"


def _clock(part: dict[str, str | None]) -> tuple[str, Precision]:
    hour = part.get("h") or part.get("h2")
    if hour is None:
        return "", "day"
    value, half = int(hour), (part.get("ap") or part.get("ap2") or "")[:1].lower()
    if half == "p" and value < 12:
        value += 12
    elif half == "a" and value == 12:
        value = 0
    minute, second = part.get("mi"), part.get("s")
    if value > 23 or int(minute or 0) > 59:
        return "", "day"
    clock = f"T{value:02d}:{minute or '00'}" + (f":{second}" if second else "")
    return clock, "second" if second else "minute" if minute else "hour"


def _offset(part: dict[str, str | None]) -> str:
    """The printed offset; zone abbreviations other than UTC are ambiguous and stay out."""
    if off := part.get("off"):
        return off if ":" in off else f"{off[:3]}:{off[3:]}"
    return "Z" if part.get("z") else ""


def find_relative(text: str, anchor: str | None) -> ReadDate | None:
    """``3 hours ago`` and its like. Without an anchor (an ISO moment) only the words are returned."""
    match = RELATIVE.search(text.replace("\u00a0", " "))
    if not match:
        return None
    moment = _moment(anchor) if anchor else None
    if moment is None:
        return ReadDate(None, None, match.group().strip())
    back, precision = _distance(match)
    then = moment - timedelta(seconds=back)
    return ReadDate(_cut(then, precision), precision, match.group().strip())


def _distance(match: re.Match[str]) -> tuple[int, Precision]:
    if word := match["day"]:
        old = word.lower() in ("yesterday", "gestern", "hier", "ayer")
        return (86400 if old else 0), "day"
    number = match["n1"] or match["n2"] or "1"
    unit = (match["u1"] or match["u2"] or "").lower()
    count = int(number) if number.isdigit() else 1
    for words, precision, seconds in _UNITS:
        if any(re.fullmatch(word, unit) for word in words.split()):
            return count * seconds, precision
    return 0, "day"


def _cut(moment: datetime, precision: Precision) -> str:
    """ISO text no more exact than the unit that was printed."""
    if precision in ("day", "month", "year"):
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


#: A day and a month, with a weekday or a time, but no year.
_YEARLESS = tuple(
    re.compile(
        rf"(?:(?:{time})\s*(?:on|,)?\s+|{_WEEKDAY})(?:{day})(?!\s*,?\s*(?:19|20)\d\d)(?:{_GLUE}(?:{time}))?", re.I
    )
    for time in (r"\d{1,2}[:.]\d\d\s*(?:[ap]\.?m\b\.?)?",)
    for day in (rf"\b{_MONTH}\s*{_DAY}\b", rf"{_DAY}\s*(?:de\s+|of\s+)?{_MONTH}")
)


def find_yearless(line: str, anchor: str | None, share: float = 0.6) -> ReadDate | None:
    """A day without its year, where it makes up ``share`` of the line.

    With an anchor it is the last such day before it, as sites mean that leave the year out; else only the words are kept.
    """
    for pattern in _YEARLESS:
        match = pattern.search(line)
        if match and len(match.group().strip()) >= max(6, share * len(line.strip(" ,|:·-"))):
            raw = match.group().strip(" ,|:·-")
            iso = _last_such_day(MONTHS[match["mon"].lower()], int(match["d"]), anchor)
            return ReadDate(iso, "day" if iso else None, raw)
    return None


def _last_such_day(month: int, day: int, anchor: str | None) -> str | None:
    moment = _moment(anchor) if anchor else None
    if moment is None:
        return None
    for year in range(moment.year, moment.year - 5, -1):  # far enough back for the 29th of February
        try:
            found = moment.replace(year=year, month=month, day=day)
        except ValueError:
            continue
        if found <= moment + timedelta(days=1):  # the site's clock may be ahead of ours
            return found.date().isoformat()
    return None


#: A page that prints its own time: "It is currently …", "The time now is …", "Date: Wednesday, 3 June 2020 at 1:18 PM".
_CLOCK = re.compile(
    r"(?:it is (?:currently|now)|(?:the )?time (?:is )?now(?: is)?|current (?:date|time)|server time|aktuelle (?:uhr)?zeit"
    r"|es ist jetzt|heure actuelle|date et heure actuelles|hora actual|ora corrente"
    r"|\bdate:\s+(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b.{0,12}?(?P<date>\S.{8,60})",
    re.I,
)


def page_clock(lines: Iterable[str]) -> str | None:
    """The moment at which a page says that it was made (ISO 8601), from its lines of text."""
    for line in lines:
        if len(line) < 300 and (match := _CLOCK.search(line)):
            found = find_date(match["date"])
            if found and found.iso and len(found.iso) > 10:  # with its time: a bare day may be anything's
                return found.iso
    return None


def read_marked(text: str, *, order: Order, language: str | None, anchor: str | None) -> ReadDate | None:
    """The date in the text of an element that is marked as a date: absolute, relative, month only, else dateparser."""
    found = find_date(text, order) or find_relative(text, anchor)
    if found:
        return found
    if match := _MONTH_ONLY.match(text):
        return ReadDate(f"{match['y']}-{MONTHS[match['mon'].lower()]:02d}-01", "month", text.strip())
    return _by_dateparser(text, language) if _worth_parsing(text) else None


def _worth_parsing(text: str) -> bool:
    """A year and a letter-month in short text: the only case in which dateparser knows more than the expressions."""
    return len(text) < 60 and bool(re.search(r"\b(?:19|20)\d\d\b", text)) and bool(re.search(r"[^\W\d_]{3}", text))


def _by_dateparser(text: str, language: str | None) -> ReadDate | None:
    import dateparser

    settings = {"STRICT_PARSING": True, "RETURN_AS_TIMEZONE_AWARE": False}
    languages = [language[:2].lower()] if language else None
    try:
        found = dateparser.parse(text, languages=languages, settings=settings)
    except (ValueError, OverflowError):  # an unknown language code, or a year that datetime cannot hold
        return None
    if found is None:
        return None
    timed = bool(re.search(r"\d[:.h]\d\d", text))
    iso = found.isoformat(timespec="minutes") if timed else found.date().isoformat()
    return ReadDate(iso, "minute" if timed else "day", text.strip())

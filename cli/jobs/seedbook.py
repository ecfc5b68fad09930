"""Seeds: what to harvest, each with settings of its own, from the command line or the archive's ``chorus.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from cli.jobs.extract import check_url
from store.records import ConfigError, UsageError

if TYPE_CHECKING:
    from harvest.discovery import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One address. ``site``: its blog's posts are meant, within ``reach``, the patterns and the dates (``2012`` to the day).

    ``delay`` (seconds) is for its host, where it should differ.
    """

    url: str
    site: bool = False
    delay: float | None = None
    reach: str = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    depth: int = 1000

    @property
    def host(self) -> str:
        """As politeness counts hosts."""
        from harvest.urls import url_host

        return url_host(self.url)

    def public(self) -> dict[str, Any]:
        """What a manifest keeps: what was set."""
        defaults = asdict(Seed(url=""))
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    def scope(self) -> Scope:
        """The same for discovery. Raises ``UsageError`` for a pattern or date that is none."""
        from harvest.discovery import Scope
        from harvest.discovery.scope import Reach

        if self.reach not in get_args(Reach):
            raise UsageError(f"--scope {self.reach}: not known", hint="one of " + ", ".join(get_args(Reach)))
        return Scope(
            home=self.url,
            reach=self.reach,  # type: ignore[arg-type]  # checked above
            include=tuple(_pattern(x) for x in self.include),
            exclude=tuple(_pattern(x) for x in self.exclude),
            since=_begin(self.since),
            until=_end(self.until),
            depth=self.depth,
        )


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r}: not a regular expression ({error})") from error


def _begin(text: str | None) -> float | None:
    return None if text is None else _days(text)[0]


def _end(text: str | None) -> float | None:
    return None if text is None else _days(text)[1]


def _days(text: str) -> tuple[float, float]:
    """First and last moment of a year, month or day."""
    for form, step in (("%Y", 366), ("%Y-%m", 31), ("%Y-%m-%d", 1)):
        try:
            first = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        after = first + timedelta(days=step)
        if form == "%Y":
            after = first.replace(year=first.year + 1)
        elif form == "%Y-%m":
            after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return first.timestamp(), after.timestamp() - 1
    raise UsageError(f"{text}: not a date", hint="2012, 2012-12 or 2012-12-05")


def seeds_of_archive(path: Path) -> tuple[Seed, ...]:
    """The ``[[seeds]]`` of an archive's ``chorus.toml``; none if it is not there. Raises ``ConfigError``."""
    try:
        with path.open("rb") as handle:
            rows = tomllib.load(handle).get("seeds", [])
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error
    if not isinstance(rows, list):
        raise ConfigError(f"{path}: seeds are written as [[seeds]] tables")
    return tuple(_seed(path, row) for row in rows)


def _seed(path: Path, row: Any) -> Seed:
    known = asdict(Seed(url=""))
    if not isinstance(row, dict) or not isinstance(row.get("url"), str):
        raise ConfigError(f"{path}: a seed has no url")
    unknown = sorted(set(row) - set(known))
    if unknown:
        raise ConfigError(f"{path}: {row['url']}: {unknown[0]} is not known", hint="one of " + ", ".join(known))
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    values["delay"] = None if row.get("delay") is None else _number(path, row["delay"])
    values["url"] = check_url(row["url"])
    return Seed(**values)


def _number(path: Path, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 86_400:
        raise ConfigError(f"{path}: delay = {value!r}: must be seconds")
    return float(value)


def duration(text: str) -> float:
    """Seconds of ``90``, ``15m``, ``2h`` or ``1d``. Raises ``UsageError``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    if not found:
        raise UsageError(f"{text}: not a length of time", hint="90, 15m, 2h or 1d")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]]


def size(text: str) -> int:
    """Bytes of ``500k``, ``20M`` or ``3G`` (powers of ten). Raises ``UsageError``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not found:
        raise UsageError(f"{text}: not a size", hint="500k, 20M or 3G")
    return int(float(found[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}[found[2]])

"""When a page is worth another visit: soon while its thread is young or lively, ever later while nothing happens.

The rule is the field's old one for feeds and wikis: what has not changed for a time will most likely stay as it is for
about as long again. So the next visit comes after half the time since the last sign of life, later by half after each
visit that found nothing new, and at once sooner after one that did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

HOUR, DAY = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Bounds of the time between two visits (seconds) and how it follows the thread.

    ``first`` is for pages without any date. Values: comments on a post come mostly within its first days, so a thread is
    seen four times on its first day and weekly in its third week; half a year keeps an archive of 100,000 dead threads
    within 550 visits a day.
    """

    shortest: float = 6 * HOUR
    longest: float = 180 * DAY
    first: float = 7 * DAY
    share_of_age: float = 0.5
    slower: float = 1.5


def next_visit(
    now: float,
    *,
    last_activity: float | None,
    changes: Sequence[bool] = (),
    closed: bool = False,
    pace: Pace | None = None,
) -> float:
    """The moment (seconds since the epoch) of the next visit.

    ``last_activity`` is the newest of the post's and comments' dates, ``changes`` says of each former visit after the first
    whether it found anything new, newest last. ``closed`` threads take no more comments: only edits are to be expected.
    """
    rules = pace or Pace()
    if closed:
        return now + rules.longest
    quiet = max(0.0, now - last_activity) * rules.share_of_age if last_activity is not None else rules.first
    unchanged = 0
    for changed in reversed(changes):
        if changed:
            break
        unchanged += 1
    wait = max(quiet, rules.shortest) * rules.slower**unchanged
    return now + min(max(wait, rules.shortest), rules.longest)


def moment(published: str | None) -> float | None:
    """An ISO date as seconds since the epoch; one without offset counts as UTC: a few hours do not matter here."""
    if not published:
        return None
    try:
        found = datetime.fromisoformat(published)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

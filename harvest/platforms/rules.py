"""What a platform rule says: CSS selectors (see ``harvest.extract.select`` for the subset), no code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One comment system's markup. Selectors are tried in order; empty ones leave the field to the generic reader.

    ``items`` lists selectors of whole comments: the first that finds any wins, unless a later one finds twice as many.
    ``signs`` must match somewhere in the page (empty: the items are sign enough). ``forum`` says that the first item
    is the post itself. ``pings``, ``deleted``, ``pending`` and ``own`` are class tokens on or in the item.
    """

    name: str
    items: tuple[str, ...]
    signs: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    permalink: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    pings: tuple[str, ...] = ("pingback", "trackback")
    edited: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    pending: tuple[str, ...] = ("comment-awaiting-moderation",)
    own: tuple[str, ...] = ("bypostauthor",)
    forum: bool = False

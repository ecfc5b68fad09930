"""Completing a thread: ask for what the page does not show, with whatever fetches, and merge it.

``thread_steps`` is the whole course without any input or output: it yields addresses, is sent answers, returns the thread.
``complete_thread`` and ``complete_thread_async`` drive it with a function that fetches; at harvest that goes through the
recorder, on a rebuild through the WARC files, and the same answers give the same thread.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harvest.extract.build import Page
from harvest.extract.items import Element, Reading
from harvest.extract.page import read_page
from harvest.extract.source import decode, parse
from harvest.platforms import platforms
from harvest.sources import comment_feed, isso_json, wp_json
from harvest.sources.align import align
from harvest.sources.items import Answer, Source, from_page
from harvest.sources.merge import Merged, merge
from harvest.sources.order import moment, newest_first
from harvest.sources.paging import comment_pages, own_key
from harvest.sources.values import Voice, by_key
from store.records import ExtractError, FetchError

#: What a fetch gives: status, headers, body.
Fetched = tuple[int, Mapping[str, str], bytes]
#: A thread that would take more requests than this is left partial: 20,000 comments over the API take 200.
MAX_REQUESTS = 250

Steps = Generator[str, Answer, "Completed"]


@dataclass(frozen=True, slots=True)
class Request:
    """One address that was asked for, with the status that came (0: nothing) and the bytes."""

    url: str
    status: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A thread with all that its site says of it.

    ``page`` is the page with merged readings and the highest count that any source announces; ``origins`` names for each
    reading the address it was first read from; ``disagreements`` as in ``merge.Merged``; ``shortfalls`` says in words
    what could not be had; ``unseen`` as in ``merge.Merged``; ``sources`` what was read, the given page first.
    """

    page: Page
    origins: tuple[str, ...]
    disagreements: tuple[dict[str, Any], ...] = ()
    shortfalls: tuple[str, ...] = ()
    unseen: int = 0
    sources: tuple[Source, ...] = ()
    requests: tuple[Request, ...] = ()


def complete_thread(
    thread: Page,
    html: str,
    url: str,
    fetch: Callable[[str], Fetched],
    *,
    anchor: str | None = None,
    max_requests: int = MAX_REQUESTS,
) -> Completed:
    """Complete ``thread``, read from ``html`` at ``url``, through ``fetch(url) -> (status, headers, body)``.

    ``anchor`` is the moment from which relative dates on further pages count. A ``FetchError`` of ``fetch`` is an answer
    too: that source is then missing, and ``shortfalls`` says so where comments are missed by it.
    """
    course = _Course(thread_steps(thread, html, url, anchor=anchor), max_requests)
    while course.wanted is not None:
        try:
            fetched = fetch(course.wanted)
        except FetchError:
            fetched = _NOTHING
        course.take(fetched)
    return course.completed()


async def complete_thread_async(
    thread: Page,
    html: str,
    url: str,
    fetch: Callable[[str], Awaitable[Fetched]],
    *,
    anchor: str | None = None,
    max_requests: int = MAX_REQUESTS,
) -> Completed:
    """``complete_thread`` for a ``fetch`` that is awaited."""
    course = _Course(thread_steps(thread, html, url, anchor=anchor), max_requests)
    while course.wanted is not None:
        try:
            fetched = await fetch(course.wanted)
        except FetchError:
            fetched = _NOTHING
        course.take(fetched)
    return course.completed()


_NOTHING: Fetched = (0, {}, b"")


class _Course:
    """The steps on their way: the address wanted next, and a log of those that were asked for."""

    def __init__(self, steps: Steps, limit: int) -> None:
        self._steps, self._limit = steps, limit
        self._result: Completed | None = None
        self._requests: list[Request] = []
        self.wanted: str | None = None
        self._go(None)

    def take(self, fetched: Fetched) -> None:
        """Hand on what came for ``wanted``. Beyond the limit nothing more is wanted."""
        status, headers, body = fetched
        self._requests.append(Request(self.wanted or "", status, len(body)))
        self._go(Answer(status, {name.lower(): value for name, value in headers.items()}, body))
        while self.wanted is not None and len(self._requests) >= self._limit:
            self._go(Answer(*_NOTHING))

    def _go(self, answer: Answer | None) -> None:
        try:
            self.wanted = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration as done:
            self.wanted, self._result = None, done.value

    def completed(self) -> Completed:
        """What the steps returned, with the log."""
        if self._result is None:
            raise RuntimeError("the steps have not come to their end")
        return replace(self._result, requests=tuple(self._requests))


def thread_steps(thread: Page, html: str, url: str, *, anchor: str | None = None) -> Steps:
    """The course of completing a thread: yields addresses, is sent each one's ``Answer``, returns ``Completed``.

    First the system's API; then the other comment pages, until as many comments are there as anybody announces; then the
    comment feed, where places or dates are still in doubt.
    """
    root, _ = parse(html)
    pages = [from_page(thread, url)]
    others = [
        source
        for source in ((yield from wp_json.read(root, url)), (yield from isso_json.read(root, html, url)))
        if source
    ]
    failed: list[str] = []
    if _wanting(thread, [*pages, *others]):
        more, failed = yield from _read_pages(root, thread, url, anchor, [*pages, *others])
        pages += more
    if _doubtful(thread, [*pages, *others]):
        others += [source for source in ((yield from comment_feed.read(root, url)),) if source]
    others = yield from _with_pings(root, url, pages, others)
    aligned = align(pages, others)
    sources = [*_in_order(aligned.pages), *aligned.others]
    merged = merge(sources, whole=not failed and not _wanting(thread, sources))
    return _completed(thread, merged, sources, failed, aligned.strangers)


def _wanting(thread: Page, sources: list[Source]) -> bool:
    """Whether comments may stand elsewhere: fewer are here than announced, or nobody knows how many there are."""
    have = len({said.key for source in sources for said in source.items})
    counts = [source.total for source in sources if source.total is not None]
    if any(source.name == "api" and source.whole for source in sources):
        return have < max(counts, default=0)
    return not counts or have < max(counts) or thread.announced is None


def _doubtful(thread: Page, sources: list[Source]) -> bool:
    """Whether a feed could tell something: no API knows who answers whom, or comments lack a date or an author."""
    if not any(source.name == "api" and source.whole for source in sources):
        return bool(thread.readings) or bool(thread.announced)
    return any(_lacking(heard) for heard in by_key(sources).values())


def _lacking(heard: list[Voice]) -> bool:
    named = any(source.name == "api" or said.reading.author for source, said in heard)
    return not named or not any(said.reading.date for _, said in heard)


def _with_pings(
    root: Element, url: str, pages: list[Source], others: list[Source]
) -> Generator[str, Answer, list[Source]]:
    """Pingbacks that no source dates, asked for one by one where WordPress's API answers at all."""
    dated = {said.key for source in [*pages, *others] for said in source.items if said.reading.date}
    pings = {said.key: None for page in pages for said in page.items if said.reading.kind != "comment"}
    numbers = [key for key in pings if key not in dated and key.isdigit()]
    api = next((source for source in others if source.name == "api"), None)
    if api is None or not numbers:
        return others
    found = yield from wp_json.read_pings(root, url, numbers)
    return [replace(source, items=source.items + found) if source is api else source for source in others]


def _read_pages(
    root: Element, thread: Page, url: str, anchor: str | None, sources: list[Source]
) -> Generator[str, Answer, tuple[list[Source], list[str]]]:
    """Read other pages of the thread, those that they name in turn included, until no comment is wanting."""
    forum = any(rules.forum and rules.name == thread.platform for rules in platforms())
    waiting = {one.key: one for one in comment_pages(root, url, forum=forum)}
    here = own_key(root, url)  # may be mistaken, so it is only put last
    asked, found, failed = set[tuple[str, int]](), list[Source](), list[str]()
    while waiting and _wanting(thread, [*sources, *found]):
        link = waiting.pop(min(waiting, key=lambda key: (key == here, key[1])))
        asked.add(link.key)
        page = _further_page((yield link.url), link.url, anchor)
        if page is None:
            failed += [link.url] if link.key != here else []
            continue
        tree, read = page
        found.append(from_page(with_opening(read, thread, forum), link.url))
        more = comment_pages(tree, link.url, forum=forum)
        waiting.update({one.key: one for one in more if one.key not in asked and one.url != url})
    return found, failed


def _further_page(answer: Answer, url: str, anchor: str | None) -> tuple[Element, Page] | None:
    if not answer.good:
        return None
    try:
        text = decode(answer.body)
        return parse(text)[0], read_page(text, url, anchor)
    except ExtractError:
        return None


def with_opening(page: Page, thread: Page, forum: bool) -> Page:
    """A further page of a forum thread with its first item among the others: only page one opens with the post."""
    head = page.post
    if head is None or not head.text or (thread.post and head.native_id == thread.post.native_id is not None):
        return page
    ids = [one.native_id for one in page.readings[:1]]
    if not forum and not (head.native_id and ids[:1] and ids[0] and _shape(head.native_id) == _shape(ids[0])):
        return page
    first = Reading(
        text=head.text,
        native_id=head.native_id,
        author=head.author,
        author_url=head.author_url,
        date=head.date,
        links=head.links,
    )
    rest = (replace(one, parent=None if one.parent is None else one.parent + 1) for one in page.readings)
    return replace(page, readings=(first, *rest))


def _shape(native_id: str) -> str:
    """An id without its number: items of one list share it."""
    return re.sub(r"\d+", "", native_id)


def _in_order(pages: list[Source]) -> list[Source]:
    """Pages as a reader turns them: by the time of their first comments, newest first where the pages run so."""
    firsts = {id(page): [moment(said.reading) for said in page.items if said.parent is None] for page in pages}
    backwards = newest_first(max(firsts.values(), key=len))
    dated = [one for one in pages if any(at is not None for at in firsts[id(one)])]
    rest = [one for one in pages if one not in dated]
    key = {id(one): min(at for at in firsts[id(one)] if at is not None) for one in dated}
    return sorted(dated, key=lambda one: key[id(one)], reverse=backwards) + rest


def _completed(
    thread: Page, merged: Merged, sources: list[Source], failed: list[str], strangers: list[Source]
) -> Completed:
    pings = sum(one.kind != "comment" for one in merged.readings)
    totals = [source.total + pings for source in sources if source.name == "api" and source.total is not None]
    announced = max((count for count in (thread.announced, *totals) if count is not None), default=None)
    shortfalls = [f"{len(failed)} further pages of comments could not be read"] if failed else []
    shortfalls += [
        f"{source.url}: not all of it came" for source in sources if source.name == "api" and not source.whole
    ]
    return Completed(
        page=replace(thread, readings=merged.readings, announced=announced),
        origins=merged.origins,
        disagreements=merged.disagreements,
        shortfalls=tuple(shortfalls),
        unseen=merged.unseen,
        sources=tuple(sources),
    )

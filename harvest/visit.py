"""Visiting one page: load it, bring it to show all it has, and keep everything as WARC records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urldefrag

from harvest.behaviours import Budget, Done, behave, hide_banners
from harvest.bodies import MAX_BODY_BYTES
from harvest.capture import PREFIX, PageCapture, Part, captures_from_warc, write_visit
from harvest.exchange import Exchange
from harvest.obstacles import Seen, describe, obstacle
from harvest.recorder import Recorder
from harvest.snapshot import MAX_DOM_BYTES, count_images, keep_frames, page_html, page_text, view_picture, whole_picture
from harvest.warc import WarcWriter, utc_now
from store.records import FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

    from harvest.guard import AddressGuard

__all__ = ["PageCapture", "VisitOptions", "captures_from_warc", "visit", "write_visit"]

#: Seconds that the network may stay busy after the page has loaded before it is taken as it is.
SETTLE_SECONDS = 5.0

#: The network counts as quiet when nothing was asked for and nothing is under way for so many seconds.
QUIET_SECONDS = 0.1

#: Scripts and pages in which this stands may hide content in closed shadow roots.
_SHADOW_MARKS = (b"attachShadow", b"shadowrootmode")

#: Seconds in which the news of a crash may come after the failure that it caused.
CRASH_NEWS_SECONDS = 0.2

#: Seconds that a page may name in ``Retry-After`` and be believed: a day.
MAX_RETRY_AFTER = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOptions:
    """Bounds of one visit: seconds to load, bytes of one body, whether to take pictures, and how far to follow the page."""

    timeout_s: float = 30.0
    max_body: int = MAX_BODY_BYTES
    screenshot: bool = True
    behaviours: bool = True
    budget: Budget = field(default_factory=Budget)


T = TypeVar("T")


class NoAnswer(FetchError):
    """The page did not come in time; that says nothing of its host's other pages."""


class _Crash(Exception):
    """The renderer died."""


async def visit(
    browser: Browser,
    context: BrowserContext,
    url: str,
    *,
    writer: WarcWriter,
    guard: AddressGuard,
    options: VisitOptions,
    connected: Callable[[str], str | None] = lambda _url: None,
    asked: Callable[[], None] = lambda: None,
) -> PageCapture:
    """Capture one page into ``writer``. Raises ``FetchError`` (or ``AddressBlocked``) when there is no page to capture.

    ``asked`` is called at the moment when the site is asked for the page.
    ``connected`` tells the address that connections for a URL went to, where they go through the guarded proxy.
    """
    await guard.check(url)
    page = await context.new_page()
    recorder = Recorder(browser, guard, max_body=options.max_body, connected=connected)
    crashed = _tame(page, context, recorder)
    await recorder.start(page, url)
    try:
        asked()
        return await _or_crash(crashed, _visit(page, url, recorder, writer, options))
    except _Crash:
        raise FetchError(f"{url}: the page crashed its browser process", url=url) from None
    finally:
        writer.begin_page()  # what came before a failure is kept: redirects, for one
        recorder.rebound()
        recorder.write(writer)
        await recorder.stop()


async def _visit(page: Page, url: str, recorder: Recorder, writer: WarcWriter, options: VisitOptions) -> PageCapture:
    problem = await _load(page, url, recorder, options)
    done = Done()
    if problem is None and options.behaviours and _is_page(recorder.main_exchange(page.url)):
        done = await behave(page, options.budget, lambda: _idle(recorder))
    await recorder.fetch_whole_files(page)
    await recorder.settle(SETTLE_SECONDS)
    return await _keep(page, url, recorder, writer, options, problem, done)


def _tame(page: Page, context: BrowserContext, recorder: Recorder) -> asyncio.Event:
    """Dialogs are dismissed and popups closed: neither may hold the visit up. The event is set when the renderer dies."""

    async def close(popup: Page) -> None:
        from playwright.async_api import Error

        if popup is not page:
            try:
                await popup.close()
            except Error:
                return  # it closed itself

    crashed = asyncio.Event()
    page.on("crash", lambda _: crashed.set())
    page.on("download", lambda download: recorder.leave_download(download.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    context.on("page", close)
    return crashed


async def _or_crash(crashed: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; raises ``_Crash`` as soon as the renderer dies, which Playwright would wait out."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(crashed.wait())
    waiting: list[asyncio.Future[Any]] = [task, watch]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise _Crash
        if isinstance(task.exception(), FetchError):
            await asyncio.wait({watch}, timeout=CRASH_NEWS_SECONDS)
            if crashed.is_set():
                raise _Crash
        return task.result()
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _load(page: Page, url: str, recorder: Recorder, options: VisitOptions) -> str | None:
    """Navigate and settle. Returns what went wrong after the main response came, if anything did."""
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as TooSlow

    milliseconds = options.timeout_s * 1000
    try:
        await page.goto(url, wait_until="load", timeout=milliseconds)
    except TooSlow:
        if recorder.main_exchange(url) is None:
            raise NoAnswer(f"{url}: no answer within {options.timeout_s:g} s", url=url, hint="--timeout") from None
        return None  # late subresources: the page is there
    except Error as error:
        if recorder.main_block:
            raise recorder.main_block from None
        if recorder.main_exchange(url) is None:
            raise FetchError(f"{url}: {_reason(error)}", url=url) from None
        return _reason(error)
    await _idle(recorder)
    return None


async def _idle(recorder: Recorder) -> None:
    """Wait until the network is quiet, or the time for that is over."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end and not recorder.quiet_for(QUIET_SECONDS):
        await asyncio.sleep(0.02)


def _reason(error: Exception) -> str:
    """The browser's error in words: ``ERR_CONNECTION_REFUSED`` becomes ``connection refused``."""
    first = str(error).splitlines()[0]
    if "net::" in first:
        code = first.split("net::", 1)[1].split()[0]
        return code.removeprefix("ERR_").replace("_", " ").lower()
    return first.split(": ", 1)[-1]


def _is_page(main: Exchange | None) -> bool:
    return main is not None and main.media_type in ("text/html", "application/xhtml+xml")


async def _keep(
    page: Page,
    url: str,
    recorder: Recorder,
    writer: WarcWriter,
    options: VisitOptions,
    problem: str | None,
    done: Done,
) -> PageCapture:
    """Write all records of the page but the visit record."""
    rebound = recorder.rebound()
    main = recorder.main_exchange(page.url if page.url.startswith("http") else url)
    if main is None:
        raise rebound or FetchError(f"{url}: {problem or 'no answer'}", url=url)
    if not main.whole:
        main.truncated = "time"
    closed_roots = _may_hide_roots(recorder)
    writer.begin_page()
    count = recorder.write(writer)
    capture = PageCapture(
        url=url,
        captured_at=utc_now(),
        final_url=_final_url(page, main),
        status=main.status,
        media_type=main.media_type,
        error=_lasting(problem, main.truncated),
        retry_after=_retry_after(main),
        responses=count,
        blocked=len(recorder.blocked),
        actions=len(done.clicks),
        response=main.evidence,
    )
    if _is_page(main) and problem is None:
        capture = await _keep_rendered(page, capture, main, writer, options, closed_roots)
        capture = _keep_removed(capture, done, writer)
    info = recorder.page_info(url, behaviours=done.to_json(), images_shown=await _images_shown(page, capture))
    writer.resource(f"{PREFIX}pageinfo:{url}", "application/json", info, date=capture.captured_at)
    return capture


def _may_hide_roots(recorder: Recorder) -> bool:
    """Whether any script or document of the page speaks of shadow roots; asked before the bodies are written."""
    for exchange in recorder.exchanges:
        if exchange.kind in ("Document", "Script") and not exchange.body.closed:
            exchange.body.seek(0)
            data = exchange.body.read(MAX_DOM_BYTES)
            exchange.body.seek(0, 2)
            if any(mark in data for mark in _SHADOW_MARKS):
                return True
    return False


def _final_url(page: Page, main: Exchange) -> str:
    """Where the page came from in the end; a script may have changed the address since (history API)."""
    shown = urldefrag(page.url).url
    return main.url if not shown.startswith("http") else shown


def _retry_after(main: Exchange) -> float | None:
    """Seconds that a busy site asks for (RFC 9110, section 10.2.3: seconds or a date)."""
    value = main.header("retry-after")
    if value is None or main.status not in (429, 503):
        return None
    if value.strip().isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    from email.utils import parsedate_to_datetime

    try:
        wait = parsedate_to_datetime(value).timestamp() - time.time()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, wait), MAX_RETRY_AFTER)


def _lasting(problem: str | None, truncated: str | None) -> str | None:
    """What is wrong with the page itself. A download is none: it is kept, there is only nothing to read in it."""
    if truncated == "disconnect":
        return "the connection broke before the whole page had come"
    if truncated == "time":
        return "the page did not come to an end in time"
    if problem and ("download" in problem.lower() or "aborted" in problem.lower()):
        return None
    return problem


async def _keep_rendered(
    page: Page,
    capture: PageCapture,
    main: Exchange,
    writer: WarcWriter,
    options: VisitOptions,
    closed_roots: bool,
) -> PageCapture:
    from playwright.async_api import Error

    url, now = capture.url, capture.captured_at
    try:
        html = await page_html(page, closed_roots=closed_roots)
    except Error as error:
        return replace(capture, error=f"the page could not be read ({_reason(error)})")
    data = html.encode("utf-8", "replace")
    if len(data) > MAX_DOM_BYTES:
        return replace(capture, error=f"the rendered page is too large ({len(data)} bytes)")
    dom = writer.resource(f"{PREFIX}dom:{url}", "text/html; charset=utf-8", data, date=now)
    parts = await keep_frames(page, writer, now)
    text = await page_text(page)
    evidence = writer.resource(f"{PREFIX}text:{url}", "text/plain; charset=utf-8", text, date=now)
    found = _obstacle(capture, main, html, text)
    capture = replace(
        capture, final_url=_final_url(page, main), html=data.decode(), dom=dom, text=evidence, parts=parts, obstacle=found,
        error=capture.error or (describe(found) if found else None),
    )  # fmt: skip
    return await _keep_pictures(page, capture, writer) if options.screenshot else capture


async def _images_shown(page: Page, capture: PageCapture) -> int | None:
    from playwright.async_api import Error

    if capture.html is None:
        return None
    try:
        return (await count_images(page))[1]
    except Error:
        return None


def _keep_removed(capture: PageCapture, done: Done, writer: WarcWriter) -> PageCapture:
    """Rows that a virtualised list took away again are part of the thread, too."""
    if not done.removed:
        return capture
    data = done.removed.encode("utf-8", "replace")
    evidence = writer.resource(
        f"{PREFIX}part:{capture.url}", "text/html; charset=utf-8", data, date=capture.captured_at
    )
    part = Part(role="part", url=capture.final_url or capture.url, evidence=evidence, body=data)
    return replace(capture, parts=(*capture.parts, part))


def _obstacle(capture: PageCapture, main: Exchange, html: str, text: bytes) -> str | None:
    headers = {name.lower(): value for name, value in main.response_headers}
    return obstacle(
        Seen(
            url=capture.url,
            final_url=capture.final_url or capture.url,
            status=capture.status or 0,
            headers=headers,
            html=html,
            text=text.decode("utf-8", "replace"),
        )
    )


async def _keep_pictures(page: Page, capture: PageCapture, writer: WarcWriter) -> PageCapture:
    """The window first, then the whole page; banners that cover content are hidden for both, the record is made by now."""
    await hide_banners(page)
    kept = {}
    for kind, take in (("view", view_picture), ("screenshot", whole_picture)):
        picture = await take(page)
        if picture:
            uri = f"{PREFIX}{kind}:{capture.url}"
            kept[kind] = writer.resource(uri, "image/png", picture, date=capture.captured_at)
    return replace(capture, view=kept.get("view"), screenshot=kept.get("screenshot"))

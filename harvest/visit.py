"""Visiting one page: load it, let it settle, keep everything as WARC records, and read captures back from them.

What chorus makes itself is kept in resource records named ``urn:chorus:KIND:URL`` with KIND one of ``dom`` (the rendered
page, open shadow roots included), ``frame`` (a child frame's), ``screenshot``, ``text``, ``pageinfo`` (every URL of the page
with its status) and ``visit`` (the capture as JSON; all that a rebuild needs).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag

from harvest.recorder import MAX_BODY_BYTES, Recorder
from harvest.warc import WarcWriter, read_record, read_records, utc_now
from store.records import Evidence, FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Frame, Page

    from harvest.guard import AddressGuard

#: Screenshots end here: beyond it Chromium's own limit (16,384 device pixels) would give blank or failed pictures.
MAX_SCREENSHOT_PIXELS = 16_000

#: Scrolling to wake lazily loaded parts: so many screens, with so many seconds after each.
SCROLL_STEPS = 20
SCROLL_PAUSE = 0.05

#: Seconds that the network may stay busy after the page has loaded before it is taken as it is.
SETTLE_SECONDS = 5.0

#: A rendered page above this is not a page that a thread can be read from.
MAX_DOM_BYTES = 32 * 1024 * 1024

PREFIX = "urn:chorus:"

#: The whole page as HTML, open shadow roots as declarative templates.
_SERIALISE = """() => {
  const roots = [];
  const walk = (node) => {
    for (const element of node.querySelectorAll('*')) {
      if (element.shadowRoot) { roots.push(element.shadowRoot); walk(element.shadowRoot); }
    }
  };
  walk(document);
  const type = document.doctype ? '<!DOCTYPE ' + document.doctype.name + '>' : '';
  const html = document.documentElement;
  if (!roots.length || !html.getHTML) return type + html.outerHTML;
  const open = html.cloneNode(false).outerHTML.replace(/<\\/html>$/, '');
  return type + open + html.getHTML({shadowRoots: roots}) + '</html>';
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitOptions:
    """Bounds of one visit: seconds to load, bytes of one body, whether to take a picture."""

    timeout_s: float = 30.0
    max_body: int = MAX_BODY_BYTES
    screenshot: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCapture:
    """What one visit found. ``error`` says in words why there is nothing to read; ``html`` is the rendered page.

    A page that could not be had at all has ``error`` and no records but its own visit record.
    """

    url: str
    captured_at: str
    final_url: str | None = None
    status: int | None = None
    media_type: str | None = None
    error: str | None = None
    html: str | None = None
    responses: int = 0
    blocked: int = 0
    robots: str | None = None
    software: str | None = None
    response: Evidence | None = None
    dom: Evidence | None = None
    screenshot: Evidence | None = None
    text: Evidence | None = None


async def visit(
    browser: Browser,
    context: BrowserContext,
    url: str,
    *,
    writer: WarcWriter,
    guard: AddressGuard,
    options: VisitOptions,
) -> PageCapture:
    """Capture one page into ``writer``. Raises ``FetchError`` (or ``AddressBlocked``) when there is no page to capture."""
    await guard.check(url)
    page = await context.new_page()
    _tame(page, context)
    recorder = Recorder(browser, guard, max_body=options.max_body)
    await recorder.start(page, url)
    try:
        problem = await _load(page, url, recorder, options)
        await recorder.settle(SETTLE_SECONDS)
        return await _keep(page, url, recorder, writer, options, problem)
    except FetchError:
        writer.begin_page()  # what came before it failed is kept: redirects, for one
        recorder.rebound()
        recorder.write(writer)
        raise
    finally:
        await recorder.stop()


def _tame(page: Page, context: BrowserContext) -> None:
    """Dialogs are dismissed and popups closed: neither may hold the visit up."""

    async def close(popup: Page) -> None:
        if popup is not page:
            await popup.close()

    page.on("dialog", lambda dialog: dialog.dismiss())
    context.on("page", close)


async def _load(page: Page, url: str, recorder: Recorder, options: VisitOptions) -> str | None:
    """Navigate, settle and scroll. Returns what went wrong after the main response came, if anything did."""
    from playwright.async_api import Error
    from playwright.async_api import TimeoutError as TooSlow

    milliseconds = options.timeout_s * 1000
    try:
        await page.goto(url, wait_until="load", timeout=milliseconds)
    except TooSlow:
        if recorder.main_exchange(url) is None:
            raise FetchError(f"{url}: no answer within {options.timeout_s:g} s", url=url, hint="--timeout") from None
        return None  # late subresources: the page is there
    except Error as error:
        if recorder.main_block:
            raise recorder.main_block from None
        if recorder.main_exchange(url) is None:
            raise FetchError(f"{url}: {_reason(error)}", url=url) from None
        return _reason(error)
    await _settle(page)
    return None


def _reason(error: Exception) -> str:
    """The browser's error in words: ``ERR_CONNECTION_REFUSED`` becomes ``connection refused``."""
    first = str(error).splitlines()[0]
    if "net::" in first:
        code = first.split("net::", 1)[1].split()[0]
        return code.removeprefix("ERR_").replace("_", " ").lower()
    return first.split(": ", 1)[-1]


async def _settle(page: Page) -> None:
    """Scroll through the page so that lazy parts load, then wait (bounded) until the network is quiet."""
    from playwright.async_api import Error

    try:
        for _ in range(SCROLL_STEPS):
            at_end = await page.evaluate(
                "() => { window.scrollBy(0, window.innerHeight);"
                " return window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2 }"
            )
            await page.wait_for_timeout(SCROLL_PAUSE * 1000)
            if at_end:
                break
        await page.evaluate("() => window.scrollTo(0, 0)")
        await page.wait_for_load_state("networkidle", timeout=SETTLE_SECONDS * 1000)
    except Error:
        return  # still busy, or navigated away: taken as it is


async def _keep(
    page: Page, url: str, recorder: Recorder, writer: WarcWriter, options: VisitOptions, problem: str | None
) -> PageCapture:
    """Write all records of the page, the visit record last: a capture without it never counted."""
    rebound = recorder.rebound()
    main = recorder.main_exchange(page.url if page.url.startswith("http") else url)
    if main is None:
        raise rebound or FetchError(f"{url}: {problem or 'no answer'}", url=url)
    now = utc_now()
    writer.begin_page()
    count = recorder.write(writer)
    capture = PageCapture(
        url=url,
        captured_at=now,
        final_url=main.url,
        status=main.status,
        media_type=_media_type(main.response_headers),
        error=_lasting(problem, main.truncated),
        responses=count,
        blocked=len(recorder.blocked),
        response=main.evidence,
    )
    if _is_html(capture.media_type) and problem is None:
        capture = await _keep_rendered(page, capture, writer, options)
    writer.resource(f"{PREFIX}pageinfo:{url}", "application/json", recorder.page_info(url), date=now)
    return capture


def _lasting(problem: str | None, truncated: str | None) -> str | None:
    """What is wrong with the page itself. A download is none: it is kept, there is only nothing to read in it."""
    if truncated == "disconnect":
        return "the connection broke before the whole page had come"
    if problem and ("download" in problem.lower() or "aborted" in problem.lower()):
        return None
    return problem


def _media_type(headers: list[tuple[str, str]]) -> str | None:
    for name, value in headers:
        if name.lower() == "content-type":
            return value.split(";")[0].split(",")[0].strip().lower() or None
    return None


def _is_html(media_type: str | None) -> bool:
    return media_type in ("text/html", "application/xhtml+xml")


async def _keep_rendered(page: Page, capture: PageCapture, writer: WarcWriter, options: VisitOptions) -> PageCapture:
    from playwright.async_api import Error

    url, now = capture.url, capture.captured_at
    try:
        html = await _html(page.main_frame)
    except Error as error:
        return replace(capture, error=f"the page could not be read ({_reason(error)})")
    data = html.encode("utf-8", "replace")
    if len(data) > MAX_DOM_BYTES:
        return replace(capture, error=f"the rendered page is too large ({len(data)} bytes)")
    dom = writer.resource(f"{PREFIX}dom:{url}", "text/html; charset=utf-8", data, date=now)
    await _keep_frames(page, writer, now)
    text = await _text(page)
    text_evidence = writer.resource(f"{PREFIX}text:{url}", "text/plain; charset=utf-8", text, date=now)
    picture = await _screenshot(page) if options.screenshot else None
    shot = writer.resource(f"{PREFIX}screenshot:{url}", "image/png", picture, date=now) if picture else None
    return replace(capture, html=data.decode(), dom=dom, text=text_evidence, screenshot=shot)


async def _html(frame: Frame) -> str:
    return str(await frame.evaluate(_SERIALISE))


async def _keep_frames(page: Page, writer: WarcWriter, now: str) -> None:
    from playwright.async_api import Error

    for frame in page.frames[1:]:
        if not frame.url.startswith("http"):
            continue
        try:
            data = (await _html(frame)).encode("utf-8", "replace")
        except Error:
            continue  # the frame has gone meanwhile
        if len(data) <= MAX_DOM_BYTES:
            writer.resource(f"{PREFIX}frame:{urldefrag(frame.url).url}", "text/html; charset=utf-8", data, date=now)


async def _text(page: Page) -> bytes:
    from playwright.async_api import Error

    try:
        text = await page.evaluate("() => document.body ? document.body.innerText : ''")
    except Error:
        return b""
    return str(text).encode("utf-8", "replace")


async def _screenshot(page: Page) -> bytes | None:
    """The whole page, or its upper part where it is taller than a picture can be; ``None`` if the browser gives none."""
    from playwright.async_api import Error

    try:
        size = await page.evaluate(
            "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        if size[1] <= MAX_SCREENSHOT_PIXELS:
            return await page.screenshot(full_page=True, timeout=15_000, animations="disabled")
        clip = {"x": 0, "y": 0, "width": min(size[0], 4000), "height": MAX_SCREENSHOT_PIXELS}
        return await page.screenshot(full_page=True, clip=clip, timeout=15_000, animations="disabled")  # type: ignore[arg-type]
    except Error:
        return None


def write_visit(writer: WarcWriter, capture: PageCapture) -> None:
    """Write the capture itself; the last record of a page."""
    writer.begin_page()
    row = {name: value for name, value in asdict(capture).items() if name != "html"}
    data = json.dumps(row, indent=1, ensure_ascii=False).encode("utf-8", "replace")
    writer.resource(f"{PREFIX}visit:{capture.url}", "application/json", data, date=capture.captured_at)


def captures_from_warc(path: Path) -> Iterator[PageCapture]:
    """The captures of a WARC file that chorus wrote, equal to what ``visit`` returned for them."""
    for record in read_records(path, frozenset({"resource"})):
        if not (record.uri or "").startswith(f"{PREFIX}visit:"):
            continue
        row: dict[str, Any] = json.loads(record.payload)
        for name in ("response", "dom", "screenshot", "text"):
            row[name] = Evidence(**row[name]) if row[name] else None
        capture = PageCapture(**row)
        yield replace(capture, html=_read_html(path.parent, capture.dom)) if capture.dom else capture


def _read_html(directory: Path, dom: Evidence) -> str:
    return read_record(directory / dom.warc, dom.offset).payload.decode("utf-8", "replace")

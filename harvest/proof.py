"""Replaying a captured page offline in the browser, and comparing what it shows with what was recorded.

Status codes prove nothing: a replay server may answer 200 with a neighbour's content for a page that was never captured. So
visible text, pictures and the digests of the payloads are compared.
"""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvest.access import Access
from harvest.behaviours import Budget, behave
from harvest.browser import new_context
from harvest.capture import PREFIX, PageCapture
from harvest.guard import AddressGuard
from harvest.replay import Replay
from harvest.snapshot import count_images, frame_html, page_text
from harvest.socks import GuardedProxy
from harvest.warc import WarcWriter, each_record, read_records, utc_now

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

#: Share of words that must be the same. A page whose script prints the time of day differs by a word or two.
MIN_TEXT = 0.98

#: Seconds a page may take to load from the replay server, and one payload to be compared.
PAGE_TIMEOUT = 45.0
PAYLOAD_TIMEOUT = 30.0

#: Statuses whose payload the replay server gives back as it is.
COMPARED = frozenset({"200", "203", "404", "410"})

#: Methods whose body is part of the address under which the index knows them.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Payload:
    """One recorded response: how it was asked for, and the digest of its body."""

    url: str
    method: str
    body: bytes
    content_type: str | None
    digest: str
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What replay showed of one page. ``text`` is the share of words in common; ``differing`` names payloads that differ."""

    url: str
    captured_at: str
    verified_at: str
    same: bool
    reasons: tuple[str, ...]
    text: float | None = None
    comments_recorded: int | None = None
    comments_replayed: int | None = None
    images: int = 0
    images_shown: int = 0
    payloads: int = 0
    differing: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the browser showed of a replayed page."""

    text: str
    html: str
    images: int
    images_shown: int


def offline_guard(replay: Replay) -> AddressGuard:
    """A guard that lets nothing through but the replay server."""

    async def nowhere(host: str) -> tuple[str, ...]:
        if host == "127.0.0.1":
            return (host,)
        raise OSError("offline")

    return AddressGuard(allow_hosts=(replay.root.removeprefix("http://"),), resolve=nowhere)


async def show(browser: Browser, proxy: GuardedProxy, replay: Replay, capture: PageCapture) -> Shown:
    """Load the page from the replay server, with the same behaviours as when it was captured. Raises Playwright's ``Error``."""
    context = await new_context(browser, Access(), version="replay", guarded_proxy=proxy.url)
    try:
        page = await context.new_page()
        page.set_default_timeout(PAGE_TIMEOUT * 1000)
        await page.goto(replay.page(capture.url, capture.captured_at), wait_until="load")
        await _quiet(page)
        await behave(page, Budget(), lambda: _quiet(page))
        text = (await page_text(page)).decode("utf-8", "replace")
        images, shown = await count_images(page)
        return Shown(text, await frame_html(page.main_frame), images, shown)
    finally:
        await context.close()


async def _quiet(page: Page) -> None:
    from playwright.async_api import Error

    try:
        await page.wait_for_load_state("networkidle", timeout=3000)
    except Error:
        return  # busy for good: taken as it is


def text_in_common(one: str, other: str) -> float:
    """Share of words that two texts have in common, as multisets; 1.0 for two empty texts."""
    first, second = Counter(one.split()), Counter(other.split())
    total = sum(first.values()) + sum(second.values())
    return 2 * sum((first & second).values()) / total if total else 1.0


def page_resources(directory: Path, capture: PageCapture) -> tuple[list[str], int | None]:
    """Record ids of everything that the page loaded, and how many pictures it showed when it was captured."""
    info = _page_info(directory, capture)
    ids = [row["record_id"] for row in info.get("resources", ()) if row.get("record_id")]
    return ids, info.get("images_shown")


def _page_info(directory: Path, capture: PageCapture) -> dict[str, Any]:
    if capture.dom is None:
        return {}
    wanted = f"{PREFIX}pageinfo:{capture.url}"
    own = read_records(directory / capture.dom.warc, frozenset({"resource"}), start=capture.dom.offset)
    # the page's own records follow its rendered HTML
    return next((dict(json.loads(record.payload)) for record in own if record.uri == wanted), {})


def payloads(path: Path) -> dict[str, Payload]:
    """Every response of a WARC file by record id, as far as a replay server can be asked for it."""
    found: dict[str, dict[str, Any]] = {}
    with path.open("rb") as stream:
        for _ in each_record(stream, lambda record, _: _note_payload(record, found)):
            pass
    return {key: Payload(**row) for key, row in found.items() if "method" in row}


def _note_payload(record: Any, found: dict[str, dict[str, Any]]) -> None:
    headers, http = record.rec_headers, record.http_headers
    if record.rec_type in ("response", "revisit") and not headers.get_header("WARC-Truncated"):
        if (http.get_statuscode() if http else "") in COMPARED:
            found[headers.get_header("WARC-Record-ID")] = {
                "url": headers.get_header("WARC-Target-URI"),
                "digest": headers.get_header("WARC-Payload-Digest") or "",
                "date": headers.get_header("WARC-Date"),
            }
    elif record.rec_type == "request" and headers.get_header("WARC-Concurrent-To") in found:
        row = found[headers.get_header("WARC-Concurrent-To")]
        row["method"] = http.protocol if http else "GET"
        row["content_type"] = http.get_header("Content-Type") if http else None
        row["body"] = record.content_stream().read()


def differs(replay: Replay, payload: Payload) -> bool:
    """Whether the replay server's answer has another digest than the recorded one, or there is no answer."""
    address = replay.page(payload.url, payload.date, modifier="id_")
    data = payload.body if payload.method in _WITH_BODY else None
    headers = {"Content-Type": payload.content_type} if payload.content_type else {}
    request = urllib.request.Request(address, data=data, headers=headers, method=payload.method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=PAYLOAD_TIMEOUT) as answer:  # noqa: S310 - loopback
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except (OSError, ValueError):
        return True
    digest = "sha256:" + base64.b32encode(hashlib.sha256(body).digest()).decode()
    return digest != payload.digest


def judge(
    capture: PageCapture,
    shown: Shown | None,
    *,
    text: str | None,
    images: int | None,
    comments: tuple[int | None, int | None],
    compared: int,
    differing: Iterable[str],
) -> Verdict:
    """Weigh what was recorded against what replay showed; ``comments`` are recorded and replayed, where counted.

    ``text`` is ``None`` if its record is damaged.
    """
    reasons = []
    bad = tuple(differing)
    share = text_in_common(text, shown.text) if shown and text is not None else None
    if shown is None:
        reasons.append("the page could not be replayed")
    if text is None:
        reasons.append("its recorded text is damaged")
    if share is not None and share < MIN_TEXT:
        reasons.append(f"{share:.0%} of the words are the same")
    if comments[0] != comments[1]:
        reasons.append(f"{comments[1]} comments instead of {comments[0]}")
    if shown and images is not None and shown.images_shown < images:
        reasons.append(f"{shown.images_shown} pictures instead of {images}")
    if bad:
        reasons.append(f"{len(bad)} payloads differ")
    return Verdict(
        url=capture.url,
        captured_at=capture.captured_at,
        verified_at=utc_now(),
        same=not reasons,
        reasons=tuple(reasons),
        text=round(share, 4) if share is not None else None,
        comments_recorded=comments[0],
        comments_replayed=comments[1],
        images=shown.images if shown else 0,
        images_shown=shown.images_shown if shown else 0,
        payloads=compared,
        differing=bad,
    )


def keep_verdict(writer: WarcWriter, verdict: Verdict) -> None:
    """Write a verdict into the archive, beside the pages."""
    writer.begin_page()
    data = json.dumps(asdict(verdict), indent=1, ensure_ascii=False).encode("utf-8", "replace")
    writer.resource(f"{PREFIX}verdict:{verdict.url}", "application/json", data, date=verdict.verified_at)

"""Keeping the state of a rendered page: its HTML with shadow roots, its frames, its text, and pictures of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag

from harvest.capture import PREFIX, Part
from harvest.warc import WarcWriter

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Frame, Page

#: Screenshots end here: beyond it Chromium's own limit (16,384 device pixels) would give blank or failed pictures.
MAX_SCREENSHOT_PIXELS = 16_000

#: A rendered page above this is not a page that a thread can be read from.
MAX_DOM_BYTES = 32 * 1024 * 1024

#: Frames of one page that are kept; ad slots beyond that are noise.
MAX_FRAMES = 40

SCREENSHOT_TIMEOUT_MS = 15_000

#: Seconds that reading the page may take: a script that never yields must not hold the harvest.
READ_TIMEOUT_MS = 20_000

#: The whole document as HTML; shadow roots become declarative templates. ``closed`` are roots that only the browser sees.
_SERIALISE = """function (...closed) {
  const roots = [...closed];
  const walk = (node) => {
    for (const element of node.querySelectorAll('*')) {
      if (element.shadowRoot) { roots.push(element.shadowRoot); walk(element.shadowRoot); }
    }
  };
  walk(document);
  for (const root of closed) walk(root);
  const type = document.doctype ? '<!DOCTYPE ' + document.doctype.name + '>' : '';
  const html = document.documentElement;
  if (!roots.length || !html.getHTML) return type + html.outerHTML;
  const open = html.cloneNode(false).outerHTML.replace(/<\\/html>$/, '');
  return type + open + html.getHTML({shadowRoots: roots}) + '</html>';
}"""

_TEXT = "() => document.body ? document.body.innerText : ''"

_SIZE = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"


_IMAGES = """() => { const found = [...document.images].filter((i) => i.currentSrc || i.src);
  return [found.length, found.filter((i) => i.complete && i.naturalWidth > 0).length]; }"""


async def frame_html(frame: Frame) -> str:
    """One frame as HTML, open shadow roots included. Raises Playwright's ``Error`` when the frame has gone."""
    return str(await frame.evaluate(f"() => ({_SERIALISE})()"))


async def page_html(page: Page, *, closed_roots: bool) -> str:
    """The page as HTML; with ``closed_roots`` also what scripts hid in closed shadow roots."""
    if closed_roots:
        session = await page.context.new_cdp_session(page)
        try:
            found = await _html_with_closed_roots(session)
        finally:
            await session.detach()
        if found is not None:
            return found
    return await frame_html(page.main_frame)


async def _html_with_closed_roots(session: CDPSession) -> str | None:
    """``None`` when there is no closed root."""
    tree = await session.send("DOM.getDocument", {"depth": -1, "pierce": True})
    closed = [await _object_id(session, node) for node in _closed_roots(tree["root"])]
    if not closed:
        return None
    document = await session.send("Runtime.evaluate", {"expression": "document"})
    answer = await session.send(
        "Runtime.callFunctionOn",
        {
            "functionDeclaration": _SERIALISE,
            "objectId": document["result"]["objectId"],
            "arguments": [{"objectId": name} for name in closed],
            "returnByValue": True,
        },
    )
    value = answer["result"].get("value")
    return value if isinstance(value, str) else None


async def _object_id(session: CDPSession, node: int) -> str:
    resolved = await session.send("DOM.resolveNode", {"backendNodeId": node})
    return str(resolved["object"]["objectId"])


def _closed_roots(root: dict[str, Any]) -> list[int]:
    """Backend ids of the closed shadow roots below ``root``, in this document only."""
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        for shadow in node.get("shadowRoots", ()):
            if shadow.get("shadowRootType") == "closed":
                found.append(int(shadow["backendNodeId"]))
            waiting.append(shadow)
        waiting += node.get("children", ())
    return found


async def keep_frames(page: Page, writer: WarcWriter, now: str) -> tuple[Part, ...]:
    """Write the rendered HTML of every child frame that came from the network."""
    from playwright.async_api import Error

    parts = []
    for frame in page.frames[1 : MAX_FRAMES + 1]:
        if not frame.url.startswith("http"):
            continue
        try:
            data = (await frame_html(frame)).encode("utf-8", "replace")
        except Error:
            continue  # the frame has gone meanwhile
        if len(data) > MAX_DOM_BYTES:
            continue
        url = urldefrag(frame.url).url
        evidence = writer.resource(f"{PREFIX}frame:{url}", "text/html; charset=utf-8", data, date=now)
        parts.append(Part(role="frame", url=url, evidence=evidence, body=data))
    return tuple(parts)


async def page_text(page: Page) -> bytes:
    """The visible text, as the browser lays it out."""
    from playwright.async_api import Error

    try:
        return str(await page.evaluate(_TEXT)).encode("utf-8", "replace")
    except Error:
        return b""


async def count_images(page: Page) -> tuple[int, int]:
    """How many pictures the page asks for, and how many of them it shows."""
    total, shown = await page.evaluate(_IMAGES)
    return int(total), int(shown)


async def view_picture(page: Page) -> bytes | None:
    """What the window shows, as PNG; ``None`` if the browser gives none."""
    from playwright.async_api import Error

    try:
        return await page.screenshot(timeout=SCREENSHOT_TIMEOUT_MS, animations="disabled")
    except Error:
        return None


async def whole_picture(page: Page) -> bytes | None:
    """The whole page, or its upper part where it is taller than a picture can be; ``None`` if the browser gives none."""
    from playwright.async_api import Error

    try:
        width, height = await page.evaluate(_SIZE)
        if height <= MAX_SCREENSHOT_PIXELS:
            return await page.screenshot(full_page=True, timeout=SCREENSHOT_TIMEOUT_MS, animations="disabled")
        clip = {"x": 0, "y": 0, "width": min(width, 4000), "height": MAX_SCREENSHOT_PIXELS}
        return await page.screenshot(full_page=True, clip=clip, timeout=SCREENSHOT_TIMEOUT_MS, animations="disabled")  # type: ignore[arg-type]
    except Error:
        return None

"""Driving a page within budgets: scroll until nothing more comes, open folded comments, say no to cookie banners."""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

#: The hidden property of the page under which the script's functions lie.
_API = "window[Symbol.for('chorus.behaviours')]"

#: Seconds after a click in which the page may begin to answer before it counts as without effect.
CLICK_PATIENCE = 1.0

#: Seconds between two looks at whether something came.
TICK = 0.05

#: Bytes of rows that a virtualised list removed while it was scrolled, which are kept.
KEEP_BYTES = 8 * 1024 * 1024

#: Frames in which folded comments are looked for (the page itself first).
MAX_FRAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How far a page is followed: seconds, clicks, pixels of height and scroll steps. Generous for a thread of 1,000
    comments (about 150 pixels each), finite for a page without end."""

    seconds: float = 45.0
    clicks: int = 150
    height: int = 250_000
    steps: int = 400


@dataclass(slots=True)
class Done:
    """What was done: the log of clicks, why it stopped, whether a budget ran out before the page did.

    ``removed`` is the HTML of comments that the page took away again while it was scrolled.
    """

    clicks: list[dict[str, Any]] = field(default_factory=list)
    screens: int = 0
    unfolded: int = 0
    stopped: str = "nothing more to open"
    exhausted: bool = False
    removed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For the page's own record."""
        return {
            "clicks": self.clicks, "screens": self.screens, "unfolded": self.unfolded,
            "stopped": self.stopped, "removed_rows_kept": self.removed is not None, "budget_exhausted": self.exhausted,
        }  # fmt: skip


#: Resolves when the page has drawn what the last scroll brought: a busy machine tells the page of a scroll only then. Pages
#: that draw nothing are not waited for beyond a second.
FRAME_DRAWN = "() => new Promise(r => { requestAnimationFrame(() => requestAnimationFrame(r)); setTimeout(r, 1000); })"


Idle = Callable[[], Awaitable[None]]


@cache
def _script() -> str:
    return (Path(__file__).parent / "page.js").read_text(encoding="utf-8")


@cache
def _words() -> dict[str, Any]:
    with (Path(__file__).parent / "words.toml").open("rb") as handle:
        rules = tomllib.load(handle)
    return {
        "region": " ".join(rules["comments"]["region"].split()),
        "open": rules["comments"]["open"],
        "never": rules["comments"]["never"],
        "containers": " ".join(rules["consent"]["containers"].split()),
        "decline": rules["consent"]["decline"],
        "keep_bytes": KEEP_BYTES,
        "about": rules["consent"]["about"],
    }


async def behave(page: Page, budget: Budget, idle: Idle) -> Done:
    """Bring the page to show all it has; the page's own faults end it, but raise nothing.

    ``idle`` waits (bounded) until the network is quiet.
    """
    from playwright.async_api import Error

    done = Done()
    deadline = time.monotonic() + budget.seconds
    try:
        await _decline(page, done, idle)
        await _scroll(page, budget, deadline, done, idle)
        for frame in _frames(page):
            await _open(page, frame, budget, deadline, done, idle)
        await _call(page.main_frame, "top()")
        done.removed = await _call(page.main_frame, "removed()")
    except Error as error:
        done.stopped = f"the page went away ({str(error).splitlines()[0][:100]})"
    return done


async def hide_banners(page: Page) -> int:
    """Hide what covers the page, for the picture only: called after everything else is kept."""
    from playwright.async_api import Error

    try:
        return int(await _call(page.main_frame, "hide()") or 0)
    except Error:
        return 0


def _frames(page: Page) -> list[Frame]:
    return [frame for frame in page.frames if frame is page.main_frame or frame.url.startswith("http")][:MAX_FRAMES]


async def _call(frame: Frame, call: str) -> Any:
    """Call one function of the in-page script, loading it where it is not yet."""
    return await frame.evaluate(f"(rules) => {{ ({_script()})(rules); return {_API}.{call} }}", _words())


async def _decline(page: Page, done: Done, idle: Idle) -> None:
    text = await _call(page.main_frame, "decline()")
    if text:
        done.clicks.append({"what": "consent", "text": text, "url": page.url})
        await idle()


async def _scroll(page: Page, budget: Budget, deadline: float, done: Done, idle: Idle) -> None:
    for _ in range(budget.steps):
        if time.monotonic() > deadline:
            return _stop(done, "time")
        state = await _call(page.main_frame, "scroll()")
        done.screens += 1
        if state["height"] > budget.height:
            return _stop(done, "height")
        await asyncio.sleep(TICK)
        if state["end"]:
            await page.main_frame.evaluate(FRAME_DRAWN)
            await idle()
            if await _call(page.main_frame, "height()") <= state["height"]:
                return None
    return _stop(done, "scroll steps")


def _stop(done: Done, what: str) -> None:
    done.stopped, done.exhausted = f"the budget of {what} ran out", True


async def _open(page: Page, frame: Frame, budget: Budget, deadline: float, done: Done, idle: Idle) -> None:
    """Click what opens more comments, one control after the other, until nothing changes any more."""
    from playwright.async_api import Error

    whole = frame is not page.main_frame and _is_comment_frame(frame)
    try:
        done.unfolded += int(await _call(frame, "unfold()"))
        while not done.exhausted:
            if len(done.clicks) >= budget.clicks:
                return _stop(done, "clicks")
            if time.monotonic() > deadline:
                return _stop(done, "time")
            clicked = await _call(frame, f"next({'true' if whole else 'false'})")
            if clicked is None:
                return None
            grown = await _wait_for_growth(frame, clicked["weight"], idle)
            if grown <= clicked["weight"]:
                await _call(frame, "exhausted()")
            log = {"what": "open", "text": clicked["text"], "tag": clicked["tag"], "url": frame.url}
            done.clicks.append({**log, "elements_before": clicked["weight"], "elements_after": grown})
    except Error:
        if frame is page.main_frame:
            raise
    return None


def _is_comment_frame(frame: Frame) -> bool:
    """Frames of comment services hold nothing but comments; by the words in their own address."""
    return any(word in frame.url.lower() for word in ("comment", "disqus", "discuss", "isso", "reply", "talk"))


async def _wait_for_growth(frame: Frame, before: int, idle: Idle) -> int:
    end = time.monotonic() + CLICK_PATIENCE
    weight = before
    while time.monotonic() < end:
        await asyncio.sleep(TICK)
        await idle()
        weight = int(await _call(frame, "weight()"))
        if weight > before:
            break
    return weight

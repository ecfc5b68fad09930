"""A visible browser in which a person logs in; what the site stored is kept for later harvests, outside any archive."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.access import Access, write_private
from harvest.browser import BrowserChoice, launch, new_context
from store.records import FetchError

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

#: Seconds between two looks at the browser's state; what happened after the last one before the window closes is lost.
LOOK_EVERY = 0.5


async def record_login(
    url: str, profile: Path, *, choice: BrowserChoice, access: Access, headless: bool = False
) -> int:
    """Open ``url`` and keep cookies and storage in ``profile`` until the window is closed. Returns the number of cookies.

    Raises ``BrowserUnavailable`` where no window can be opened, ``FetchError`` when the page cannot be had.
    """
    from playwright.async_api import Error

    async with launch(choice, headless=headless) as browser:
        context = await new_context(browser, access, version="login")
        page = await context.new_page()
        try:
            await page.goto(url)
        except Error as error:
            raise FetchError(f"{url}: {str(error).splitlines()[0]}", url=url) from error
        state = "{}"
        while not page.is_closed():
            state = await _state(context) or state
            await asyncio.sleep(LOOK_EVERY)
        state = await _state(context) or state
    write_private(profile, state)
    return len(json.loads(state).get("cookies", []))


async def _state(context: BrowserContext) -> str | None:
    from playwright.async_api import Error

    try:
        return json.dumps(await context.storage_state())
    except Error:
        return None  # the window was closed meanwhile

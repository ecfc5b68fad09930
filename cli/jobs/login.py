"""Logging in by hand, for harvests of pages behind a log-in."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cli.config import resolve
from cli.jobs.access import AccessRequest, profile_path
from cli.jobs.extract import check_url


def keep_login(url: str, profile: str, *, proxy: str | None = None, headless: bool = False) -> tuple[Path, int]:
    """Open a browser until its window is closed; the profile's file and the number of cookies in it."""
    from harvest.browser import find_browser
    from harvest.login import record_login

    path = profile_path(profile)
    choice = find_browser(resolve("browser").value)
    access = AccessRequest(proxy=proxy).resolve(None)
    cookies = asyncio.run(record_login(check_url(url), path, choice=choice, access=access, headless=headless))
    return path, cookies

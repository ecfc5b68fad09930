"""Finding and starting a browser: the system's Chromium or Chrome, else the one that Playwright downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harvest.access import Access
from store.records import BrowserUnavailable, ConfigError

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext

HINT = (
    "install Chromium or Chrome (Debian: apt install chromium; or: playwright install chromium), or set CHORUS_BROWSER"
)

#: Commands and places, in the order in which they are tried.
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

#: Keep the browser from calling home, from state of earlier pages, and from what an archive does not need.
FLAGS = (
    "--disable-background-networking",
    "--disable-back-forward-cache",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,Translate,LazyFrameLoading,DialMediaRouteProvider",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)


@dataclass(frozen=True, slots=True)
class BrowserChoice:
    """A browser's path and how it was found (``setting``, ``system``, ``playwright`` or ``endpoint``)."""

    path: str
    source: str


def find_browser(path: str | None = None) -> BrowserChoice:
    """The browser to use. ``path`` (or ``CHORUS_BROWSER``) wins; raises ``BrowserUnavailable`` when there is none."""
    wanted = path or os.environ.get("CHORUS_BROWSER")
    if wanted:
        found = shutil.which(wanted)
        if not found:
            raise BrowserUnavailable(f"{wanted}: no such browser", hint=HINT)
        return BrowserChoice(found, "setting")
    for candidate in (*COMMANDS, *PLACES):
        if found := shutil.which(candidate):
            return BrowserChoice(found, "system")
    if found := _playwrights_own():
        return BrowserChoice(found, "playwright")
    raise BrowserUnavailable("no browser found", hint=HINT)


def _playwrights_own() -> str | None:
    """The newest Chromium in Playwright's download folder."""
    default = "Library/Caches/ms-playwright" if sys.platform == "darwin" else ".cache/ms-playwright"
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / default)
    patterns = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
    found = [file for pattern in patterns for file in folder.glob(pattern) if os.access(file, os.X_OK)]
    return str(max(found, key=lambda file: file.stat().st_mtime)) if found else None


def browser_version(choice: BrowserChoice) -> str:
    """What the browser says of itself, for example ``Chromium 156.0.8078.73``."""
    if choice.source == "endpoint":
        return "a remote browser"
    try:
        result = subprocess.run([choice.path, "--version"], capture_output=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise BrowserUnavailable(f"{choice.path}: does not start ({error})", hint=HINT) from error
    return result.stdout.decode("utf-8", "replace").strip().split("built on")[0].strip()


@asynccontextmanager
async def launch(choice: BrowserChoice, *, headless: bool = True) -> AsyncIterator[Browser]:
    """Start the browser, with its sandbox unless this process is root, where Chromium refuses to.

    A choice whose path is the address of a running browser is connected to instead.
    """
    from playwright.async_api import Error, async_playwright

    async with async_playwright() as playwright:
        try:
            if choice.source == "endpoint":
                browser = await playwright.chromium.connect_over_cdp(choice.path)
            else:
                browser = await playwright.chromium.launch(
                    executable_path=choice.path,
                    headless=headless,
                    args=list(FLAGS),
                    chromium_sandbox=os.geteuid() != 0,
                    handle_sigint=False,
                )
        except Error as error:
            reason = _first_words(error)
            raise BrowserUnavailable(f"{choice.path}: did not start ({reason})", hint=HINT) from error
        try:
            yield browser
        finally:
            with suppress(Error):  # it died before us; what it gave is in the WARC
                await browser.close()


def _first_words(error: Exception) -> str:
    """Why a browser did not start: the line about a missing display, where that is the reason, else the first."""
    lines = str(error).splitlines()
    display = [line.strip() for line in lines if "$DISPLAY" in line or "XServer" in line]
    return "it needs a display; run this where one is" if display else lines[0]


async def new_context(
    browser: Browser, access: Access, *, version: str, guarded_proxy: str | None = None
) -> BrowserContext:
    """A context without any state of other pages, no downloads, no permissions; with what ``access`` gives it."""
    from playwright.async_api import Error

    proxy = access.proxy or guarded_proxy
    suffix = f"chorus/{version}" + (f" (+{access.contact})" if access.contact else "")
    try:
        context = await browser.new_context(
            accept_downloads=False,
            extra_http_headers=dict(access.headers) or None,
            ignore_https_errors=access.ignore_tls_errors,
            locale=access.locale,
            permissions=[],
            proxy=_proxy(proxy) if proxy else None,  # type: ignore[arg-type]
            storage_state=access.storage,
            timezone_id=access.timezone,
            user_agent=f"{await _user_agent(browser)} {suffix}",
            viewport={"width": access.viewport[0], "height": access.viewport[1]},
        )
        if access.cookies:
            await context.add_cookies(list(access.cookies))  # type: ignore[arg-type]
    except Error as error:
        raise ConfigError(f"the browser refuses these settings ({str(error).splitlines()[0]})") from error
    return context


def _proxy(url: str) -> dict[str, str]:
    """A proxy's address without credentials, and these apart, as the browser wants them."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    found = {"server": bare}
    if parts.username:
        found |= {"username": unquote(parts.username), "password": unquote(parts.password or "")}
    return found


async def _user_agent(browser: Browser) -> str:
    session = await browser.new_browser_cdp_session()
    try:
        found = await session.send("Browser.getVersion")
        return str(found["userAgent"]).replace("HeadlessChrome", "Chrome")
    finally:
        await session.detach()


if __name__ == "__main__":
    sys.stdout.write(browser_version(find_browser()) + "\n")

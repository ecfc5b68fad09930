"""What the command line says about cookies, profiles, headers, proxy, language and window, made ready for the browser."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.config import resolve
from store.records import ConfigError, UsageError

if TYPE_CHECKING:
    from harvest.access import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequest:
    """The options as they were given; ``None`` leaves the setting or the default."""

    profile: str | None = None
    cookies: Path | None = None
    headers: tuple[str, ...] = ()
    proxy: str | None = None
    locale: str | None = None
    timezone: str | None = None
    viewport: str | None = None
    allow_hosts: tuple[str, ...] = ()
    ignore_tls_errors: bool = False

    def resolve(self, contact: str | None) -> Access:
        """Read the files named. Raises ``ConfigError`` or ``UsageError``."""
        from harvest.access import VIEWPORT, Access, read_cookies, read_headers, read_viewport

        return Access(
            contact=contact,
            headers=read_headers(self.headers),
            cookies=read_cookies(self.cookies) if self.cookies else (),
            storage=existing_profile(self.profile) if self.profile else None,
            proxy=checked_proxy(resolve("proxy", self.proxy).value),
            locale=self.locale or "en-US",
            timezone=self.timezone,
            viewport=read_viewport(self.viewport) if self.viewport else VIEWPORT,
            allow_hosts=self.allow_hosts,
            ignore_tls_errors=self.ignore_tls_errors,
        )

    def public(self) -> dict[str, Any]:
        """What a manifest may keep: that headers, cookies and a proxy were used, not what they were."""
        hidden = {"headers": [line.partition(":")[0] for line in self.headers], "proxy": bool(self.proxy)}
        shown = {"cookies": bool(self.cookies), "allow_hosts": list(self.allow_hosts)}
        return {**asdict(self), **hidden, **shown}


def profile_path(name: str) -> Path:
    """Where a profile lies: in the user's own data folder, outside any archive. Raises ``UsageError`` for an unfit name."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f"--profile {name}: not a name", hint="letters, digits, dot, dash, underscore")
    import platformdirs

    return Path(platformdirs.user_data_dir("chorus")) / "profiles" / f"{name}.json"


def existing_profile(name: str) -> Path:
    """The profile's file. Raises ``ConfigError`` when nobody has logged in under that name."""
    path = profile_path(name)
    if not path.is_file():
        raise ConfigError(f"--profile {name}: no such profile", hint=f"chorus login URL --profile {name}")
    return path


def checked_proxy(url: str | None) -> str | None:
    """A proxy's address. Raises ``UsageError`` for one that no browser understands."""
    if url and not re.match(r"(https?|socks5)://[^\s/]+", url):
        raise UsageError("--proxy: not an address", hint="http://host:port or socks5://host:port")
    return url or None

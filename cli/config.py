"""Settings: where each comes from, in the order flag > environment > ``chorus.toml`` here > user config > default."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.records import ConfigError

#: name -> (environment variable, default, what it is). Flags have the same names.
SETTINGS: dict[str, tuple[str, Any, str]] = {
    "archive": ("CHORUS_ARCHIVE", "archive", "the archive directory"),
    "delay": (
        "CHORUS_DELAY",
        1.0,
        "seconds between two pages of one host (Crawl-delay of robots.txt counts when longer)",
    ),
    "timeout": ("CHORUS_TIMEOUT", 30.0, "seconds a page may take to load"),
    "min_free": ("CHORUS_MIN_FREE", 256.0, "megabytes that must stay free on the disk for a harvest to go on"),
    "contact": ("CHORUS_CONTACT", None, "a URL or mail address that goes into the user agent"),
    "browser": ("CHORUS_BROWSER", None, "path of a Chromium or Chrome"),
    "proxy": ("CHORUS_PROXY", None, "a proxy for the browser: http://host:port or socks5://host:port"),
    "model": ("CHORUS_MODEL", None, "the embedding model: a sentence-transformers directory or name, or an ONNX file"),
    "classifier": ("CHORUS_CLASSIFIER", None, "directory of a classifier that `chorus train` made, or `fast`"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting's value and where it was found."""

    name: str
    value: Any
    source: str
    help: str


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})", hint="mend the file or move it away") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def user_config_path() -> Path:
    """The user's own configuration file."""
    import platformdirs

    return Path(platformdirs.user_config_dir("chorus")) / "chorus.toml"


def _layers() -> list[tuple[str, dict[str, Any]]]:
    here = Path("chorus.toml")
    local = _read_toml(here)
    if "schema_version" in local:  # the working directory is itself an archive
        local = {"archive": "."}
    user = user_config_path()
    return [(str(here), local), (str(user), _read_toml(user))]


def _coerce(name: str, value: Any, source: str) -> Any:
    default = SETTINGS[name][1]
    if not isinstance(default, float):
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{name} = {value!r} ({source}): must be text")
        return value
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} = {value!r} ({source}): must be a number") from error
    if not 0 <= number < 86400:  # also refuses NaN
        raise ConfigError(f"{name} = {value!r} ({source}): must lie between 0 and 86400")
    return number


def resolve(name: str, flag: Any = None) -> Setting:
    """Find one setting. ``flag`` is what the command line gave, or ``None``."""
    variable, default, text = SETTINGS[name]
    if flag is not None:
        return Setting(name, _coerce(name, flag, "flag"), "flag", text)
    if os.environ.get(variable):
        return Setting(name, _coerce(name, os.environ[variable], variable), variable, text)
    for source, values in _layers():
        if name in values:
            return Setting(name, _coerce(name, values[name], source), source, text)
    return Setting(name, default, "default", text)


def all_settings() -> list[Setting]:
    """Every setting with its source."""
    return [resolve(name) for name in SETTINGS]

"""Every error that chorus raises on purpose.

::

    ChorusError                 exit 1   catch this one to catch them all
    ├── UsageError              exit 2   the call cannot be understood
    ├── ArchiveError            exit 4   the directory is no archive, is newer than this chorus, or is locked
    │   └── ArchiveLocked       exit 4   another process writes to it
    ├── ConfigError             exit 4   a setting cannot be used
    ├── NothingFound            exit 5   the question was fine, the answer is empty
    ├── BrowserUnavailable      exit 10  no browser could be found or started
    ├── FetchError              exit 1   a page could not be had (``.url``)
    │   └── AddressBlocked      exit 1   it lies at a private address, or in a scheme we do not fetch
    ├── ExtractError            exit 1   the input is no page that a thread can be read from
    └── ModelUnavailable        exit 1   model weights are missing or do not match their digest

The command line turns each into one line on stderr and its exit code; a library user catches what they need.
"""

from __future__ import annotations


class ChorusError(Exception):
    """Base of all expected errors. ``hint`` says what to try next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ChorusError):
    """The call cannot be understood."""

    exit_code = 2


class ArchiveError(ChorusError):
    """The directory is no archive, or one that this version cannot read."""

    exit_code = 4


class ArchiveLocked(ArchiveError):
    """Another process is writing to the archive."""


class ConfigError(ChorusError):
    """A setting has a value that cannot be used."""

    exit_code = 4


class NothingFound(ChorusError):
    """Nothing matched."""

    exit_code = 5


class BrowserUnavailable(ChorusError):
    """No browser could be found, or it did not start."""

    exit_code = 10


class FetchError(ChorusError):
    """A page could not be fetched."""

    def __init__(self, message: str, *, url: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.url = url


class AddressBlocked(FetchError):
    """The address is private, or its scheme is not http(s)."""


class ExtractError(ChorusError):
    """The input holds nothing that a thread can be read from."""


class ModelUnavailable(ChorusError):
    """Model weights are missing, or differ from the digest they must have."""

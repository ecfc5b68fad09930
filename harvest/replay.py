"""Serving an archive's WARC files for replay: pywb, as a process of its own (it is under the GPL and not part of chorus)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harvest.wacz import write_cdxj
from store.records import ArchiveError, ConfigError

#: The name of the collection within the replay server's addresses.
COLLECTION = "archive"

START_SECONDS = 40.0

#: How long the server may take to end before it is killed.
STOP_SECONDS = 5.0


class Replay:
    """A running replay server. ``root`` is its address on loopback."""

    def __init__(self, root: str, process: subprocess.Popen[bytes]) -> None:
        self.root, self.process = root, process

    def page(self, url: str, captured_at: str | None = None, *, modifier: str = "mp_") -> str:
        """The replay address of a URL; ``modifier`` ``mp_`` is the page without a frame around it, ``id_`` its bare bytes."""
        stamp = "".join(c for c in captured_at or "" if c.isdigit())[:14]
        return f"{self.root}/{COLLECTION}/{stamp}{modifier}/{url}" if stamp else f"{self.root}/{COLLECTION}/{url}"


def find_server() -> str:
    """The path of pywb's ``wayback``. Raises ``ConfigError`` when it is not installed."""
    beside = Path(sys.executable).with_name("wayback")
    found = str(beside) if beside.is_file() else shutil.which("wayback")
    if not found:
        raise ConfigError(
            "replay needs pywb, which is not installed", hint="pip install 'chorus[replay]' or pip install pywb"
        )
    return found


@contextmanager
def serve(warcs: Iterable[Path], *, port: int = 0, framed: bool = False) -> Iterator[Replay]:
    """Serve WARC files of one folder on loopback until the block ends. ``port`` 0 takes a free one; ``framed`` puts
    the replay server's banner around each page.

    Raises ``ConfigError`` without pywb, ``ArchiveError`` without WARC files or when the server does not start.
    """
    server = find_server()
    files = sorted(warcs)
    if not files:
        raise ArchiveError("no WARC files to replay", hint="chorus harvest URL")
    with tempfile.TemporaryDirectory(prefix="chorus-replay-") as scratch:
        folder = Path(scratch)
        _write_collection(folder, files, framed)
        port = port or _free_port()
        log = (folder / "log").open("wb")
        command = [server, "--port", str(port), "--bind", "127.0.0.1"]
        environment = {**os.environ, "PYWB_CONFIG_FILE": str(folder / "config.yaml")}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)  # noqa: S603
        replay = Replay(f"http://127.0.0.1:{port}", process)
        try:
            _wait(replay, folder / "log")
            yield replay
        finally:
            _stop(process)
            log.close()


def _write_collection(folder: Path, files: list[Path], framed: bool) -> None:
    with (folder / "index.cdxj").open("w", encoding="utf-8") as out:
        write_cdxj(files, out)
    config = {
        "collections": {
            COLLECTION: {"index_paths": str(folder / "index.cdxj"), "archive_paths": f"{files[0].parent}/"}
        },
        "framed_replay": framed,
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(replay: Replay, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if replay.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{replay.root}/", timeout=2):  # noqa: S310 - our own loopback server
                return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines()
    raise ArchiveError("the replay server did not start", hint=said[-1][:200] if said else None)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

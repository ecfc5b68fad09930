"""Real comment systems, started on loopback in a temporary directory, to be harvested and compared with their databases."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

#: Installs what the systems need; ``CHORUS_TEST_SYSTEMS=off`` keeps the tests from calling it.
INSTALLER = ROOT / "scripts" / "test-systems.sh"

#: A server that has not answered by then will not (seconds).
START_SECONDS = 60.0


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def why_missing(name: str, present: bool) -> str | None:
    """``None`` if the system ``name`` is there or could be installed, else the reason to skip its tests."""
    if present:
        return None
    if os.environ.get("CHORUS_TEST_SYSTEMS") == "off":
        return f"{name} is not installed, and CHORUS_TEST_SYSTEMS=off forbids installing it"
    environment = {**os.environ, "PYTHON": sys.executable}
    result = subprocess.run(["sh", INSTALLER, name], capture_output=True, text=True, check=False, env=environment)
    if result.returncode == 0:
        return None
    return (result.stderr.strip().splitlines() or [f"{name} cannot be installed here"])[-1]


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until ``url`` gives any HTTP answer."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} did not come up: {log.read_text(errors='replace')[-2000:]}")


def _end_with_parent() -> None:
    """A server whose test run was killed ends too (Linux: PR_SET_PDEATHSIG; elsewhere it would stay)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def start(command: Sequence[str | Path], log: Path, **extra: str) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own, its output in ``log``."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            [str(part) for part in command],
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **extra},
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and its workers."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def find(*names: str) -> str | None:
    """The path of the first command that is there; servers' folders are searched too."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    return next((path for name in names if (path := shutil.which(name, path=places))), None)


def fetch(url: str) -> tuple[int, dict[str, str], bytes]:
    """A plain loopback request: status, headers (names in lower case), body. Errors of HTTP are answers too."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()

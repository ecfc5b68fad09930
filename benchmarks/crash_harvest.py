"""Kill a harvest at random moments and see that nothing called done is lost: python -m benchmarks.crash_harvest [TIMES]

Each round starts ``chorus harvest`` over the pages of the sample blog (each page under several addresses), kills it with
SIGKILL at a random moment, and checks every WARC record that was announced. At the end one run finishes the rest.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cli.sample_blog.server import SampleBlog
from harvest.capture import captures_from_warc


def captured(archive: Path) -> set[str]:
    return {c.url for f in archive.glob("warc/*.warc.gz") for c in captures_from_warc(f)} if archive.exists() else set()


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    random.seed(7)
    with SampleBlog() as blog, tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        urls = [f"{url}?copy={n}" for n in range(60) for url in blog.post_urls]
        listed = Path(folder) / "urls.txt"
        listed.write_text("\n".join(urls))
        command = [sys.executable, "-m", "cli", "harvest", "--from", str(listed), "-a", str(archive), "--allow-private"]
        command += ["--delay", "0", "--no-screenshots"]
        seen: set[str] = set()
        lost, resumes = 0, []
        for _ in range(times):
            start = time.monotonic()
            before = len(captured(archive))
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            deadline = start + 3.0 + random.random() * 7.0
            first = None
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.1)
                if first is None and len(list(archive.glob("warc/*.warc.gz"))) and len(captured(archive)) > before:
                    first = time.monotonic() - start
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if first is not None:
                resumes.append(first)
            now = captured(archive)
            lost += len(seen - now)
            seen |= now
        done = subprocess.run([*command, "--max-pages", "5"], check=False, capture_output=True, text=True)
        check = subprocess.run(
            [sys.executable, "-m", "cli", "verify", "-a", str(archive)], check=False, capture_output=True
        )
        resumes.sort()
        median = resumes[len(resumes) // 2] if resumes else float("nan")
        print(
            f"{times} kills: {len(seen)} pages captured, {lost} lost; last run exit {done.returncode}, verify {check.returncode}"
        )
        print(f"start to the next page done: median {median:.1f} s, slowest {resumes[-1] if resumes else 0:.1f} s")


if __name__ == "__main__":
    main()

"""The main job on the bundled sample blog: serve, harvest, classify, search."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cli.jobs.classify import classify_archive
from cli.jobs.harvest import HarvestRequest, harvest_pages
from cli.jobs.search import SearchRequest, run_search
from cli.render_hits import hits_text
from store.records import UsageError

#: The two questions the demo asks: one by meaning alone, one with a label as filter.
QUERIES = (
    ("thanks for sharing this with the community", None),
    ("read my new book", "self-promotion"),
)


def run_demo(keep: Path | None, say: Callable[[str], None], *, quiet: bool = False) -> int:
    """Run the main job, telling each step through ``say``. Returns the exit code of the harvest."""
    from cli.sample_blog import SampleBlog

    path = _directory(keep)
    start = time.monotonic()
    with SampleBlog() as blog:
        say(f"1. A sample blog is served at {blog.url}; a real browser harvests its {len(blog.post_urls)} posts.\n")
        request = HarvestRequest.from_settings(urls=list(blog.post_urls), delay=0.0, allow_private=True)
        report = harvest_pages(path, request, quiet=quiet)
    for row in report.rows:
        say(f"   {row['comments']:>3} of {row['announced']} comments  {row['completeness']:<9} {row['title']}")
    _say_labels(path, say, quiet)
    for n, (query, label) in enumerate(QUERIES, 3):
        say(f'\n{n}. chorus search "{query}"' + (f" --label {label}" if label else "") + "\n")
        hits = run_search(path, SearchRequest(query=query, label=label, k=3))
        say(hits_text(hits))
    _say_next(path, say, time.monotonic() - start)
    return report.exit_code


def _directory(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="chorus-demo-")) / "archive"
    if keep.exists() and any(keep.iterdir()):
        raise UsageError(f"{keep}: exists and is not empty", hint="give --keep a new directory")
    return keep


def _say_labels(path: Path, say: Callable[[str], None], quiet: bool) -> None:
    say("\n2. Every sentence is classified by what it does, not by what it is about.\n")
    for row in classify_archive(path, quiet=quiet).rows:
        say(f"   {row['units']:>4} sentences  {row['share']:>6.1%}  {row['label']}")


def _say_next(path: Path, say: Callable[[str], None], seconds: float) -> None:
    say(f"\nDone in {seconds:.0f} s. The archive lies in {path}")
    say("Type next (chorus is .venv/bin/chorus in a clone):\n")
    for command in (
        f"chorus threads -a {path}",
        f"chorus show ID --evidence -a {path}      (an ID from the list: the thread, each comment with its WARC record)",
        f'chorus search "who is this really for" -a {path}',
        "chorus harvest https://your.blog/a-post/ -a my-archive",
    ):
        say(f"  {command}")

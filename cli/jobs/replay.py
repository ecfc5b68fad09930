"""Serving the archive for replay."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path

from store.records import NothingFound


def replay_archive(
    path: Path, *, port: int, thread: str | None, open_browser: bool, say: Callable[[str], None]
) -> None:
    """Serve until interrupted; ``say`` gets the address to open."""
    from harvest.replay import serve
    from store.archive import Archive
    from store.tables import Tables

    archive = Archive.open(path)
    tables = Tables.open(archive)
    target = None
    if thread is not None:
        target = tables.thread_document(thread).thread
    elif found := tables.threads():
        target = found[0]
    if target is None:
        raise NothingFound("the archive holds no page to replay", hint="chorus harvest URL")
    with serve(archive.warcs(), port=port, framed=True) as server:
        address = server.page(target.url)
        say(address)
        if open_browser:
            webbrowser.open(address)
        server.process.wait()

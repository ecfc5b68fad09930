"""Serve saved pages on loopback, for harvesting real input without the network.

    python -m benchmarks.serve_pages FOLDER URLS.txt [--limit N]

Writes one URL a page to URLS.txt, then serves until interrupted. Pages come as they were saved, charset included; what they
link to is answered with 404, so nothing leaves this machine.
"""

from __future__ import annotations

import argparse
import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


class SavedPages(SimpleHTTPRequestHandler):
    """Saved pages say their charset themselves; a header would override it."""

    extensions_map: ClassVar[dict[str, str]] = {**SimpleHTTPRequestHandler.extensions_map, ".html": "text/html"}

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("urls", type=Path)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    handler = functools.partial(SavedPages, directory=str(arguments.folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    pages = sorted(arguments.folder.glob("*.html"))[: arguments.limit]
    base = f"http://127.0.0.1:{server.server_port}/"
    arguments.urls.write_text("".join(f"{base}{page.name}\n" for page in pages), encoding="utf-8")
    print(f"{len(pages)} pages at {base}; their URLs are in {arguments.urls}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

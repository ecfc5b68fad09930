"""The small markup of content.toml as HTML: paragraphs, lists, quotes, `code` and web addresses."""

from __future__ import annotations

import html
import re

_LINK = re.compile(r"https?://[\w./~%-]+[\w/]")
_CODE = re.compile(r"`([^`]+)`")


def blocks(text: str) -> str:
    """Blocks are set apart by a blank line; ``> `` begins a quote, ``- `` an item of a list."""
    return "\n".join(_block(block) for block in text.strip().split("\n\n"))


def _block(block: str) -> str:
    lines = block.split("\n")
    if all(line.startswith("- ") for line in lines):
        return "<ul>\n" + "\n".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "\n</ul>"
    if block.startswith("> "):
        return f"<blockquote><p>{_inline(block[2:])}</p></blockquote>"
    return f"<p>{'<br />'.join(_inline(line) for line in lines)}</p>"


def _inline(text: str) -> str:
    marked = html.escape(text, quote=False)
    marked = _CODE.sub(r"<code>\1</code>", marked)
    return _LINK.sub(lambda match: f'<a href="{match.group()}" rel="nofollow ugc">{match.group()}</a>', marked)


def plain(text: str) -> str:
    """What a reader sees of ``blocks(text)``: paragraphs separated by a newline."""
    lines = (re.sub(r"^(> |- )", "", line) for line in text.strip().split("\n") if line.strip())
    return "\n".join(lines).replace("`", "")

"""From bytes to a tree: charset, HTML told from plain text, and input that is neither."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from lxml import etree, html

from store.records import ExtractError

#: Beyond this a page is no page; the parser's tree takes some ten times as much memory.
MAX_BYTES = 64 * 1024 * 1024

_MAGIC = (b"%PDF-", b"\x89PNG", b"PK\x03\x04", b"\x1f\x8b", b"GIF8", b"\xff\xd8\xff", b"RIFF", b"\x7fELF", b"OggS")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset\s*=|encoding\s*=)\s*["']?\s*([\w.:-]+)""", re.I)
_MARKUP = re.compile(
    r"<(?:!doctype|html|head|body|div|p|ul|ol|li|article|section|table|span|main|meta|title|h[1-6]|a|br|dl)\b", re.I
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
#: Written as ASCII bytes, so that they pass for valid UTF-8.
_SEVEN_BIT = ("iso-2022", "utf-7", "hz")
_NOISE_TAGS = ("script", "style", "template", "svg", "iframe", "object", "embed", "canvas", "audio", "video")


@dataclass(frozen=True, slots=True)
class Scripts:
    """What the scripts of a page hold that is data: its JSON-LD blocks."""

    json_ld: tuple[str, ...]


def decode(source: str | bytes) -> str:
    """The text of ``source``. Raises ``ExtractError`` for what is empty, binary or too large."""
    if len(source) > MAX_BYTES:
        raise ExtractError(f"larger than {MAX_BYTES // 2**20} MB: no page", hint="give the page, not its archive")
    text = source if isinstance(source, str) else _decode_bytes(source)
    if not text.strip("\ufeff\x00 \t\r\n"):
        raise ExtractError("empty: there is nothing to read")
    control = len(_CONTROL.findall(text[:20_000]))
    if (
        control > 5 + len(text[:20_000]) // 100
    ):  # stray control characters occur in real pages, one in a hundred does not
        raise ExtractError("binary data, not a page", hint="give HTML or a plain-text thread")
    return text.lstrip("\ufeff")


def _decode_bytes(data: bytes) -> str:
    if data.lstrip().startswith(_MAGIC):
        raise ExtractError("a binary file (PDF, image or archive), not a page", hint="give HTML or a plain-text thread")
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data.decode(name, "replace")
    match = _DECLARED.search(data, 0, 4096)
    declared = match.group(1).decode("ascii", "replace").lower() if match else None
    order = [declared, "utf-8"] if declared and declared.startswith(_SEVEN_BIT) else ["utf-8", declared]
    for label in order:
        if (text := _try(data, label)) is not None:
            return text
    # a few broken bytes do not make a UTF-8 page another charset
    return data.decode("utf-8" if declared in ("utf-8", "utf8") else "cp1252", "replace")


def _try(data: bytes, name: str | None) -> str | None:
    if not name or name.startswith(("utf-16", "utf-32")):  # a declaration readable as ASCII is wrong about these
        return None
    # browsers read Latin-1 as Windows-1252 (WHATWG Encoding, table of labels)
    name = "cp1252" if name in ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii") else name
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError):
        return None


def is_html(text: str) -> bool:
    """Whether the text is markup, by content."""
    return bool(_MARKUP.search(text[:200_000]))


def parse(text: str) -> tuple[etree._Element, Scripts]:
    """The tree without scripts, styles and comments. Raises ``ExtractError`` where the parser finds no element."""
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    data = _CONTROL.sub("", text).encode("utf-8", "replace")
    try:
        root = html.document_fromstring(data, parser=parser, ensure_head_body=True)
    except (etree.ParserError, etree.XMLSyntaxError, AssertionError) as error:
        raise ExtractError(f"no page can be read from this: {error}") from error
    scripts = Scripts(
        tuple(
            node.text or "" for node in root.iter("script") if (node.get("type") or "").lower() == "application/ld+json"
        )
    )
    etree.strip_elements(root, *_NOISE_TAGS, with_tail=False)
    return root, scripts

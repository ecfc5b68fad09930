"""Exports of blogs: WordPress (WXR), Blogger (Atom) and Disqus (XML). Mail and IP addresses are not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from harvest.imports.item import Item, Unreadable
from harvest.imports.text import fragment, ordered, utc

_WP = "{http://wordpress.org/export/"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_ATOM = "{http://www.w3.org/2005/Atom}"
_THREAD = "{http://purl.org/syndication/thread/1.0}in-reply-to"
_DISQUS = "{http://disqus.com}"
_DSQ_ID = "{http://disqus.com/disqus-internals}id"
_BLOGGER = "{http://schemas.google.com/blogger/2018}"

_WP_STATES = {"1": "visible", "0": "pending", "trash": "deleted", "post-trashed": "deleted"}


def _elements(path: Path, tags: tuple[str, ...]) -> Iterator[etree._Element]:
    """Elements of these names as they come, freed behind; no entities, no network. Raises ``Unreadable``."""
    try:
        parser = etree.iterparse(
            str(path), events=("end",), tag=tags, resolve_entities=False, no_network=True, recover=True, huge_tree=True
        )
        for _, element in parser:
            outer = element.getparent()
            if outer is not None and outer.tag in tags:
                continue  # a reference within another element, which needs it
            yield element
            element.clear()
            while element.getprevious() is not None:
                parent = element.getparent()
                if parent is None:
                    break
                del parent[0]
    except (etree.XMLSyntaxError, OSError) as error:
        raise Unreadable(f"not well-formed XML: {error}") from error


def _local(element: etree._Element, name: str) -> str | None:
    """Text of the child of that local name in WordPress's namespace, whichever version of it."""
    for child in element:
        if isinstance(child.tag, str) and child.tag.startswith(_WP) and child.tag.rpartition("}")[2] == name:
            return child.text
    return None


def read_wxr(path: Path) -> Iterator[Item]:
    """Posts and pages of a WordPress export, each with its comments."""
    for element in _elements(path, ("item",)):
        if _local(element, "post_type") not in ("post", "page") or _local(element, "status") not in ("publish", None):
            continue
        url = (element.findtext("link") or "").strip()
        where = f"{path.name}, post {_local(element, 'post_id')}"
        if not url.startswith(("http://", "https://")):
            yield Item(where=where, problem="has no address")
            continue
        yield Item(where=where, url=url, thread=_wxr_thread(element, url))


def _wxr_thread(element: etree._Element, url: str) -> dict[str, Any]:
    text, links = fragment(element.findtext(_CONTENT), url)
    author = element.findtext(_CREATOR)
    comments = [
        _wxr_comment(child, url)
        for child in element
        if isinstance(child.tag, str) and child.tag.startswith(_WP) and child.tag.endswith("}comment")
    ]
    kept = [one for one in comments if one["state"] is not None]
    return {
        "url": url,
        "platform": "wordpress",
        "title": element.findtext("title"),
        "announced_count": None,
        "post": {
            "native_id": f"post-{_local(element, 'post_id')}",
            "author": author,
            "published": utc(_local(element, "post_date_gmt")),
            "published_text": _local(element, "post_date"),
            "text": text,
            "links": links,
        },
        "comments": ordered(kept),
    }


def _wxr_comment(element: etree._Element, url: str) -> dict[str, Any]:
    number = _local(element, "comment_id") or ""
    text, links = fragment(_local(element, "comment_content"), url)
    kind = (_local(element, "comment_type") or "comment").strip() or "comment"
    parent = _local(element, "comment_parent") or "0"
    return {
        "native_id": f"comment-{number}",
        "kind": kind if kind in ("pingback", "trackback") else "comment",
        "answers": f"comment-{parent}" if parent != "0" else None,
        "parent_source": "api",
        "author": _local(element, "comment_author") or None,
        "author_url": _local(element, "comment_author_url") or None,
        "published": utc(_local(element, "comment_date_gmt")),
        "published_text": _local(element, "comment_date"),
        "url": f"{url}#comment-{number}",
        "state": _WP_STATES.get(_local(element, "comment_approved") or ""),
        "text": text,
        "links": links,
    }


def read_blogger(path: Path) -> Iterator[Item]:
    """Posts of a Blogger export, each with its comments (the backup of old and the feed of Takeout)."""
    posts: dict[str, dict[str, Any]] = {}
    comments: dict[str, list[dict[str, Any]]] = {}
    for entry in _elements(path, (f"{_ATOM}entry",)):
        kind = _blogger_kind(entry)
        if kind == "post":
            post = _blogger_post(entry)
            posts[post["key"]] = post
        elif kind == "comment":
            target, one = _blogger_comment(entry)
            comments.setdefault(target, []).append(one)
    for key, post in posts.items():
        url = post["url"]
        if not url:
            yield Item(where=f"{path.name}, {key}", problem="has no address")
            continue
        thread = {**post, "comments": ordered(comments.pop(key, []))}
        thread.pop("key")
        yield Item(where=f"{path.name}, {key}", url=url, thread=thread)
    for key, orphans in comments.items():
        yield Item(where=f"{path.name}, {key}", problem=f"{len(orphans)} comments on a post that is not in the file")


def _blogger_kind(entry: etree._Element) -> str | None:
    said = entry.findtext(f"{_BLOGGER}type")
    if said:
        return said.lower()
    for category in entry.iter(f"{_ATOM}category"):
        term = category.get("term") or ""
        if "#kind" in (category.get("scheme") or "") or "kind#" in term:
            return term.rpartition("#")[2]
    return None


def _key(value: str | None) -> str:
    """The number that ends an id; the same in references and ids."""
    return (value or "").rpartition("-")[2].rpartition("/")[2]


def _blogger_url(entry: etree._Element) -> str | None:
    links = {link.get("rel"): link.get("href") for link in entry.iter(f"{_ATOM}link")}
    href = links.get("alternate")
    return href if href and href.startswith("http") else None


def _blogger_common(entry: etree._Element, base: str) -> dict[str, Any]:
    text, links = fragment(entry.findtext(f"{_ATOM}content"), base)
    author = entry.find(f"{_ATOM}author")
    return {
        "author": author.findtext(f"{_ATOM}name") if author is not None else None,
        "author_url": author.findtext(f"{_ATOM}uri") if author is not None else None,
        "published": utc(entry.findtext(f"{_ATOM}published")),
        "published_text": entry.findtext(f"{_ATOM}published"),
        "text": text,
        "links": links,
    }


def _blogger_post(entry: etree._Element) -> dict[str, Any]:
    url = _blogger_url(entry)
    key = _key(entry.findtext(f"{_ATOM}id"))
    return {
        "key": key,
        "url": url,
        "platform": "blogger",
        "title": entry.findtext(f"{_ATOM}title"),
        "announced_count": None,
        "post": {"native_id": f"post-{key}", **_blogger_common(entry, url or "")},
    }


def _blogger_comment(entry: etree._Element) -> tuple[str, dict[str, Any]]:
    reference = entry.find(_THREAD)
    post = reference.get("ref") if reference is not None else entry.findtext(f"{_BLOGGER}parent")
    related = next((link.get("href") for link in entry.iter(f"{_ATOM}link") if link.get("rel") == "related"), None)
    answers = entry.findtext(f"{_BLOGGER}inReplyTo") or related
    own = _key(entry.findtext(f"{_ATOM}id"))
    url = _blogger_url(entry)
    row = {
        "native_id": f"c{own}",
        "kind": "comment",
        "answers": f"c{_key(answers)}" if answers else None,
        "parent_source": "feed",
        "url": url,
        "state": "visible",
        **_blogger_common(entry, url or ""),
    }
    return _key(post), row


def read_disqus(path: Path) -> Iterator[Item]:
    """Threads of a Disqus export, each with its comments; spam is left out."""
    threads: dict[str, dict[str, Any]] = {}
    comments: dict[str, list[dict[str, Any]]] = {}
    for element in _elements(path, (f"{_DISQUS}thread", f"{_DISQUS}post")):
        own = element.get(_DSQ_ID) or ""
        if element.tag.endswith("}thread"):
            if element.findtext(f"{_DISQUS}link") is not None:  # a reference within a post has no content
                threads[own] = _disqus_thread(element)
            continue
        thread = element.find(f"{_DISQUS}thread")
        if thread is not None and element.findtext(f"{_DISQUS}isSpam") != "true":
            comments.setdefault(thread.get(_DSQ_ID) or "", []).append(_disqus_comment(element, own))
    for own, row in threads.items():
        found = comments.pop(own, [])
        if not (row["url"] or "").startswith("http"):
            yield Item(where=f"{path.name}, thread {own}", problem="has no address")
        elif found:
            yield Item(where=f"{path.name}, thread {own}", url=row["url"], thread={**row, "comments": ordered(found)})


def _disqus_thread(element: etree._Element) -> dict[str, Any]:
    return {
        "url": (element.findtext(f"{_DISQUS}link") or "").strip(),
        "platform": "disqus",
        "title": element.findtext(f"{_DISQUS}title"),
        "announced_count": None,
        "post": None,
    }


def _disqus_comment(element: etree._Element, own: str) -> dict[str, Any]:
    parent = element.find(f"{_DISQUS}parent")
    text, links = fragment(element.findtext(f"{_DISQUS}message"), "")
    gone = element.findtext(f"{_DISQUS}isDeleted") == "true"
    return {
        "native_id": f"comment-{own}",
        "kind": "comment",
        "answers": f"comment-{parent.get(_DSQ_ID)}" if parent is not None else None,
        "parent_source": "api",
        "author": element.findtext(f"{_DISQUS}author/{_DISQUS}name") or None,
        "author_url": None,
        "published": utc(element.findtext(f"{_DISQUS}createdAt")),
        "published_text": element.findtext(f"{_DISQUS}createdAt"),
        "url": None,
        "state": "deleted" if gone else "visible",
        "text": "" if gone else text,
        "links": [] if gone else links,
    }

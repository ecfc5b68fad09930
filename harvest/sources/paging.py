"""Further pages of the same thread: which links of a page lead to them.

A link counts when its address is the page's own but for the number of the page; and, where such a number could also page
something else (a post, an index), when it stands in a pager of the comments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from harvest.extract.items import Element
from harvest.extract.select import tokens
from harvest.extract.text import absolute, one_line


@dataclass(frozen=True, slots=True)
class Pattern:
    """How one system numbers the pages of a thread: group ``n`` of what ``numbered`` finds in path and query.

    ``rest`` stands in the place of the whole match on the first page. ``sure``: nothing but comments is numbered so.
    ``step``: the number counts entries. ``first`` is the number of the first page. ``latest``: the address without a
    number may show another page than the first.
    """

    name: str
    numbered: re.Pattern[str]
    rest: str = ""
    sure: bool = False
    step: bool = False
    first: int = 1
    latest: bool = False


@dataclass(frozen=True, slots=True)
class PageLink:
    """One page of a thread. ``number`` is as the system counts."""

    url: str
    number: int
    pattern: Pattern
    label: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What the same page has in common under whatever address."""
        return self.pattern.name, self.number


def _path(text: str) -> re.Pattern[str]:
    return re.compile(text + r"/?(?=\?|$)")


def _parameter(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=[?&;]){name}=(?P<n>\d{{1,6}})(?=[&;]|$)")


PATTERNS = (
    Pattern("wordpress", _path(r"/comment-page-(?P<n>\d{1,4})"), rest="/", sure=True, latest=True),
    Pattern("wordpress", _parameter("cpage"), sure=True, latest=True),
    Pattern("blogger", _parameter("commentPage"), sure=True, latest=True),
    Pattern("xenforo", _path(r"/page-(?P<n>\d{1,5})"), rest="/"),
    Pattern("bbpress", _path(r"/page/(?P<n>\d{1,5})"), rest="/"),
    Pattern("vbulletin", _path(r"/(?:page|index|p)(?P<n>\d{1,5})(?:\.html)?"), rest="/"),
    Pattern("mybb", re.compile(r"-page-(?P<n>\d{1,5})(?=\.html)")),
    Pattern("phpbb", _parameter("start"), step=True, first=0),
    Pattern("smf", re.compile(r"(?<=[?&;]topic=)(?P<t>\d+)\.(?P<n>\d{1,6})"), rest=r"\g<t>.0", step=True, first=0),
    Pattern("hackernews", _parameter("p")),
    Pattern("drupal", _parameter("page"), first=0),
    Pattern("offset", _parameter("offset"), step=True, first=0),
)

#: Parameters that say nothing about which thread it is.
_NOISE = re.compile(r"^(?:utm_\w+|fbclid|gclid|sid|s|phpsessid|replytocom|sort|view|mode|order)$", re.I)
#: Links to the form of an answer, of which a page of comments has as many as comments.
_ACTION = re.compile(r"[?&;](?:replytocom|reply|action|do|mode)=", re.I)
_PAGER = re.compile(r"pag(?:er|ing|ina)|page-?(?:nav|link)|nav-links|navigation|(?:^|[\s_-])pages?(?:[\s_-]|$)", re.I)
_COMMENTS = re.compile(r"comment|kommentar|coment|thread|topic|replies|posts?list|message", re.I)
_NOT_COMMENTS = re.compile(r"recent|latest|related|post-navigation|nav-single|archive", re.I)
_ONWARD = re.compile(
    r"^\W*(?:page|next|older|newer|previous|prev|more|load|first|last|weiter|nächste|vorherige|ältere|neuere|zurück|letzte|suivant"
    r"|précédent|plus|dernier|siguiente|anterior|último|próxim[ao]|successiv[ao]|precedente|volgende|vorige|\d|[›»‹«<>]|$)",
    re.I,
)


def comment_pages(root: Element, url: str, *, forum: bool = False) -> tuple[PageLink, ...]:
    """Links of the page to other pages of its thread, each once, by number, gaps below the highest number filled.

    ``forum`` says that the page as a whole is a thread, so that any pager on it pages the thread. ``root`` is the whole
    page. ``url`` itself is not among them.
    """
    here = _target(url)
    found: dict[tuple[str, int], PageLink] = {}
    for link in root.iter("a", "link"):
        href = link.get("href") or ""
        if not any(char.isdigit() for char in href) or _ACTION.search(href):
            continue
        address = (absolute(href, url) or "").partition("#")[0]
        if address and _target(address) != here and (one := _page_link(link, address, url, forum)):
            found.setdefault(one.key, one)
    links = [*found.values(), *_gaps(found.values(), url)]
    first = _lowest(list(found.values()), url)
    return tuple(sorted((one for one in links if one.number >= first), key=lambda one: one.number))


def _lowest(links: list[PageLink], url: str) -> int:
    """The lowest number that is another page: 2 where the bare page is 1, though some systems count from nought."""
    if not links or links[0].pattern.first != 0 or links[0].pattern.step:
        return 0
    bare = not links[0].pattern.numbered.search(_target(url))
    from_one = any(one.label == str(one.number) for one in links) or (bare and min(one.number for one in links) > 1)
    return (2 if bare else 1) if from_one else 0


def own_key(root: Element, url: str) -> tuple[str, int] | None:
    """Which of its pages a thread's bare address seems to show, by the links of the comments to themselves."""
    votes: Counter[tuple[str, int]] = Counter()
    for link in root.iter("a"):
        address, _, fragment = (absolute(link.get("href"), url) or "").partition("#")
        if fragment and (pattern := next((one for one in PATTERNS if one.sure and _same(address, url, one)), None)):
            match = pattern.numbered.search(_target(address))
            votes[pattern.name, int(match["n"]) if match else pattern.first] += 1
    return votes.most_common(1)[0][0] if votes else None


def _same(address: str, url: str, pattern: Pattern) -> bool:
    same_host = urlsplit(address).netloc.lower() == urlsplit(url).netloc.lower()
    return same_host and _identity(address, pattern) == _identity(url, pattern)


def _target(address: str) -> str:
    """Path and query: where the number of a page can stand."""
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _page_link(link: Element, address: str, url: str, forum: bool) -> PageLink | None:
    for pattern in PATTERNS:
        match = pattern.numbered.search(_target(address))
        if match and _same(address, url, pattern) and (pattern.sure or _pages(link, forum)):
            return PageLink(address, int(match["n"]), pattern, one_line(link) if link.tag == "a" else "")
    return None


def _identity(address: str, pattern: Pattern) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What tells two threads of one host apart: path and parameters, without the number of the page and noise."""
    path, _, query = pattern.numbered.sub(pattern.rest, _target(address), count=1).partition("?")
    pairs = parse_qsl(query.replace(";", "&"), keep_blank_values=True)
    return path.rstrip("/"), tuple(sorted(pair for pair in pairs if not _NOISE.match(pair[0])))


def _pages(link: Element, forum: bool) -> bool:
    """Whether the link stands in a pager: any on a page that is a thread, else one of the comments."""
    if link.tag == "link":
        return forum and link.get("rel") in ("next", "prev")
    label = one_line(link) or link.get("title") or link.get("aria-label") or ""
    if not _ONWARD.match(label) or len(label) > 40:
        return False
    pager = "morelink" in tokens(link) or link.get("rel") in ("next", "prev")
    for up in link.iterancestors():
        mark = tokens(up)
        if _NOT_COMMENTS.search(mark) or (up.tag == "body" and not forum):
            return False
        pager = pager or bool(_PAGER.search(mark)) or up.tag == "nav" or up.get("role") == "navigation"
        if pager and (forum or (_COMMENTS.search(mark) and up.tag not in ("article", "main"))):
            return True
    return False


def _gaps(links: Iterable[PageLink], url: str) -> list[PageLink]:
    """Pages that a shortened pager ("1 2 … 9") leaves out, and those between here and a lone link; by page numbers only."""
    numbered = [one for one in links if not one.pattern.step]
    if not numbered:
        return []
    top = max(numbered, key=lambda one: one.number)
    here = top.pattern.numbered.search(_target(url))
    have = {one.number for one in numbered}
    if here:
        have.add(int(here["n"]))
    elif not top.pattern.latest:
        have.add(top.pattern.first)
    missing = [number for number in range(top.pattern.first, top.number) if number not in have]
    return [PageLink(with_number(top, number), number, top.pattern) for number in missing]


def with_number(link: PageLink, number: int) -> str:
    """The link's address with another number in it."""
    target = _target(link.url)
    match = link.pattern.numbered.search(target)
    if match is None:
        return link.url
    changed = target[: match.start("n")] + str(number) + target[match.end("n") :]
    return link.url.replace(target, changed) if target != "/" else link.url

"""Addresses as identities: when two of them are one page, and which form of an address to ask for.

``url_key`` is what the frontier and the discovery tell pages apart by; ``clean_url`` is what they fetch. Both leave out what
says who is asking (session ids) or how somebody came here (campaign parameters), for one page would otherwise have as many
addresses as it has readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, quote, unquote_plus, urlsplit

from store.records import UsageError

#: Parameters that campaigns, mailings and networks add to other people's addresses, by the tool that adds them.
_TRACKING = re.compile(
    r"(?:utm_\w+|mtm_\w+|pk_(?:campaign|kwd|keyword|source|medium|content|cid)|piwik_\w+"  # web analytics
    r"|fbclid|fb_(?:action_ids|action_types|source|ref)|igshid|igsh|twclid|ttclid|li_fat_id|epik|_openstat"  # networks
    r"|gclid|gclsrc|dclid|gbraid|wbraid|srsltid|msclkid|yclid|_ga|_gl"  # advertisements
    r"|mc_cid|mc_eid|mkt_tok|_hs(?:enc|mi)|hsctatracking|vero_id|oly_(?:enc|anon)_id|wickedid|s_cid|cmpid|ncid|wt_mc)",
    re.I,
)

#: Parameters that hold nothing but a session.
_SESSION = re.compile(
    r"(?:PHPSESSID|jsessionid|ASPSESSIONID\w*|ASP\.NET_SessionId|session_?id|sessid|zenid|oscsid|CFID|CFTOKEN|phpbb\w*_sid)",
    re.I,
)

#: Parameters that hold a session with some software and something else with other (``sid=12/05/1234`` is a story, ``s=cats``
#: a search), so the value decides.
_SESSION_BY_VALUE = {
    "sid": re.compile(r"(?=.*\d)(?=.*[a-z])[\w,-]{6,}|[\w,-]{16,}", re.I),
    "s": re.compile(r"[\da-f]{32}", re.I),
    "session": re.compile(r"(?=.*\d)[\w,-]{12,}", re.I),
}

#: Sessions in the path: servlets' parameters, and ASP.NET's cookieless ``/(S(…))``.
_SESSION_IN_PATH = re.compile(
    r";(?:jsessionid|phpsessid|sessionid|sid)=[^/;?]*|/\((?:[A-Z]\([\w-]{6,}\))+\)(?=/|$)", re.I
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SAFE_IN_PATH = "/%!$&'()*+,;=:@~"
_SAFE_IN_QUERY = "/%!$&'()*+,;=:@~?"


def is_web_address(url: str) -> bool:
    """Whether ``url`` is an absolute http(s) address."""
    try:
        _parts(url)
    except UsageError:
        return False
    return True


def url_key(url: str) -> str:
    """The identity of the page at ``url``: ``host[:port]/path[?query]``.

    Left out: scheme, user, default port, fragment, tracking parameters, session ids, dot segments. Host names are lower
    case (IDNA), escapes are in one form, parameters are sorted by name. A trailing slash stays: some servers tell the two
    apart. Raises ``UsageError`` for what is no http(s) address.
    """
    parts = _parts(url)
    query = "&".join(sorted(_parameters(parts.query), key=_name))
    return _host(parts) + _path(parts.path) + (f"?{query.replace('%20', '+')}" if query else "")


def clean_url(url: str) -> str:
    """The address to ask for: ``url`` in the form of the key, but with its scheme, and its parameters in their order."""
    parts = _parts(url)
    query = "&".join(_parameters(parts.query))
    return f"{parts.scheme}://{_host(parts)}{_path(parts.path)}" + (f"?{query}" if query else "")


def url_host(url: str) -> str:
    """Host and port as politeness counts them: lower case, the port only where it is not the scheme's own."""
    return _host(_parts(url))


def url_site(url: str) -> str:
    """The host without ``www.``: a blog that answers under both names is one site."""
    return url_host(url).removeprefix("www.")


def page_key(url: str) -> str:
    """A looser identity, for use within one site: ``www.`` and a trailing slash make no difference."""
    key = url_key(url).removeprefix("www.")
    path, mark, query = key.partition("?")
    return path.rstrip("/") + mark + query


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip().replace("\\", "/"))
        usable = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{url[:200]!r}: not a web address", hint="give it whole: https://blog.example/a-post/")
    return parts


def _host(parts: SplitResult) -> str:
    name = (parts.hostname or "").rstrip(".")
    if ":" in name:
        name = f"[{name}]"
    elif not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:  # a label that IDNA does not know; it is still one name
            name = quote(name, errors="replace")
    port = parts.port
    return name if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{name}:{port}"


def _path(path: str) -> str:
    return _without_dots(_SESSION_IN_PATH.sub("", _one_form(path, _SAFE_IN_PATH)))


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4."""
    found: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            del found[-1:]
        elif segment != ".":
            found.append(segment)
    if segments[-1] in (".", ".."):
        found.append("")
    return "/" + "/".join(found)


def _parameters(query: str) -> Iterable[str]:
    for one in _one_form(query, _SAFE_IN_QUERY).split("&"):
        if one and not _TRACKING.fullmatch(_name(one)) and not _is_session(one):
            yield one


def _name(parameter: str) -> str:
    return unquote_plus(parameter.partition("=")[0])


def _is_session(parameter: str) -> bool:
    name = _name(parameter)
    if _SESSION.fullmatch(name):
        return True
    by_value = _SESSION_BY_VALUE.get(name.lower())
    return bool(by_value and by_value.fullmatch(unquote_plus(parameter.partition("=")[2])))


def _one_form(text: str, safe: str) -> str:
    """Escapes as RFC 3986, section 6.2.2 has them: upper case, and none where none is needed."""
    text = _STRAY_PERCENT.sub("%25", text)
    return quote(_ESCAPE.sub(_escape, text), safe=safe, errors="replace")


def _escape(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else match[0].upper()

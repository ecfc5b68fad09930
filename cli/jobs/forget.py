"""Erasing an author, an entry or a page from an archive: WARC records first, then everything that was made from them.

The tables are derived again from the redacted WARC files, so nothing of what was erased can be left in a table's older
version, a vector or an index. Whoever interrupts it gives the same command again: what is to go is chosen from the tables,
which are replaced last.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urlsplit

from cli.clock import now
from cli.output import Progress, note
from store.records import ArchiveError, Entry, NothingFound, UsageError

if TYPE_CHECKING:
    from harvest.redact import Erasure, Words
    from harvest.rewrite import Change, Course
    from store.archive import Archive
    from store.tables import Tables

#: What an archive is made of; anything else in its directory was made from these and can be made again.
OWN = frozenset(
    {
        "chorus.toml",
        "warc",
        "tables",
        "tables.old",
        "tables.new",
        "runs",
        "annotations",
        "redactions.jsonl",
        "redaction.ready.json",
        "frontier.db",
        "payloads.db",
    }
)

#: Endings of files that hold an archive's texts packed.
PACKAGES = (".wacz", ".zip", ".gz", ".parquet")

#: Evidence records that are looked into for the hashes of an author's mail address: one finds it as well as all.
LOOKED_INTO = 20

#: Letters from which on a part of a name is looked for in what others wrote.
MIN_NAME = 3

#: An address shorter than this is none of someone's own.
MIN_ADDRESS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetRequest:
    """What to forget: exactly one of ``author``, ``entry``, ``url``, or ``again``: whatever was erased before and is back."""

    author: str | None = None
    entry: str | None = None
    url: str | None = None
    again: bool = False
    reason: str | None = None

    @property
    def scope(self) -> str:
        """Which of them was given. Raises ``UsageError`` unless it is one."""
        given = [name for name in ("author", "entry", "url") if getattr(self, name) is not None]
        given += ["again"] if self.again else []
        if len(given) != 1:
            raise UsageError("one of --author, --entry, --url, --again is wanted", hint="chorus forget --help")
        return given[0]


@dataclass(slots=True)
class Chosen:
    """What a request stands for in the tables: all revisions of the entries, and the pages that go whole."""

    revisions: list[Entry] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    titles: dict[str, str] = field(default_factory=dict)
    selector: str | None = None

    @property
    def entry_ids(self) -> list[str]:
        """The entries, each once."""
        return sorted({entry.entry_id for entry in self.revisions})

    def plan(self) -> list[dict[str, Any]]:
        """A row a thread: how many entries and revisions go, and whose."""
        rows: dict[str, dict[str, Any]] = {}
        for entry in self.revisions:
            row = rows.setdefault(entry.thread_id, {"thread": entry.thread_id, "entries": set(), "revisions": 0})
            row["entries"].add(entry.entry_id)
            row["revisions"] += 1
        found = [{**row, "entries": len(row["entries"]), "title": self.titles.get(key)} for key, row in rows.items()]
        return found or [{"thread": None, "entries": 0, "revisions": 0, "title": url} for url in sorted(self.addresses)]


def plan_forget(path: Path, request: ForgetRequest) -> Chosen:
    """What would go. Raises ``NothingFound`` if nothing would."""
    from store.archive import Archive
    from store.errors import ArchiveLocked
    from store.lock import is_unfinished, write_lock
    from store.tables import Tables

    request.scope  # noqa: B018  # raises
    archive = Archive.open(path)
    if is_unfinished(archive):  # which may be all that there is to do
        with suppress(ArchiveLocked), write_lock(archive, "forget"):
            pass
    return _choose(archive, Tables.open(archive), request)


def forget(path: Path, request: ForgetRequest, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Erase it everywhere in the archive; returns rows of ``what`` and ``count``."""
    from cli.jobs.healing import heal
    from cli.jobs.rebuild import extractors_digest, replace_tables
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    archive = Archive.open(path)
    with write_lock(archive, "forget"):
        tables = Tables.open(archive)
        heal(archive, tables, quiet=quiet)
        chosen = _choose(archive, tables, request)
        with RunRecorder(archive, "forget", parameters={"scope": request.scope}) as run:
            texts = _texts(tables, chosen)
            course = _course(archive, tables, chosen, request, run.run_id)
            counts = _rewrite(archive, course, chosen, request, quiet)
            removed = _outputs(archive, course.erasure)
            counts |= {
                "codings": _annotations(archive, chosen),
                "cached texts": _cached(texts),
                "run manifests": _manifests(archive, chosen, course.erasure),
                "files made from the archive, removed": len(removed),
            }
            _frontier(archive, chosen)
            _orphans(tables, chosen)
            run.digests["extractors"] = extractors_digest()
            shutil.rmtree(archive.root / "tables.new", ignore_errors=True)  # an interrupted rebuild read what is gone
            rows = replace_tables(archive, run.digests["extractors"], quiet=quiet)
            counts |= {f"rows of {row['table']} removed": row["removed"] for row in rows}
            run.counts.update(counts)
            _tell_of_mentions(Tables.open(archive), chosen, request, quiet)
    return [{"what": what, "count": count} for what, count in counts.items()]


# -- what is to go ---------------------------------------------------------------------------------------------


def _choose(archive: Archive, tables: Tables, request: ForgetRequest) -> Chosen:
    from store.redactions import selector_key

    scope = request.scope
    if scope == "again":
        chosen = _come_back(archive, tables)
        if not chosen.revisions and not chosen.addresses:
            raise NothingFound("nothing that was erased before is in the archive again")
    else:
        value = str(getattr(request, scope))
        chosen = {"author": _by_author, "entry": _by_entry, "url": _by_url}[scope](tables, value)
        chosen.selector = selector_key(archive, scope, value)
    _add_surroundings(tables, chosen)
    return chosen


def _come_back(archive: Archive, tables: Tables) -> Chosen:
    """Entries that were erased once, or are by an author who was, and pages that were, which a later harvest brought back."""
    from store.redactions import erased, selector_key

    before = erased(archive)
    if not before.entries and not before.selectors:
        return Chosen()
    rows = list(tables.rows("entries", "state <> 'deleted'", ["entry_id", "author"]))
    authors = {row["author"] for row in rows if row["author"]}
    known = {author for author in authors if selector_key(archive, "author", author) in before.selectors}
    ids = {row["entry_id"] for row in rows if row["entry_id"] in before.entries or row["author"] in known}
    urls = {url for url in _addresses(tables) if selector_key(archive, "url", url) in before.selectors}
    pages = [_by_url(tables, url) for url in sorted(urls)]
    ids |= {entry.entry_id for page in pages for entry in page.revisions}
    revisions = [entry for entry in tables.iter_entries() if entry.entry_id in ids]
    return Chosen(revisions, {address for page in pages for address in page.addresses})


def _addresses(tables: Tables) -> set[str]:
    """Every address that a page of the archive is known by."""
    visits = tables.rows("visits", columns=["url", "final_url"])
    found = {url for row in visits for url in (row["url"], row["final_url"])}
    return {url for url in found | {url for t in tables.threads() for url in (t.url, t.canonical_url)} if url}


def tell_of_returned(archive: Archive, tables: Tables, quiet: bool) -> None:
    """Say so if what was erased is in the archive again."""
    back = _come_back(archive, tables)
    if back.revisions or back.addresses:
        counts = (f"{len(back.entry_ids)} entries", f"{len(back.addresses)} pages" if back.addresses else "")
        what = " and ".join(filter(None, counts))
        note(f"{what} that were erased are in the archive again: chorus forget --again", quiet=quiet)


def _by_author(tables: Tables, name: str) -> Chosen:
    from store.filters import quote

    found = list(tables.iter_entries(f"author = {quote(name)}"))
    if not found:
        known = {row["author"] for row in tables.rows("entries", columns=["author"]) if row["author"]}
        alike = sorted(one for one in known if name.lower() in one.lower())[:5]
        hint = "written there: " + ", ".join(alike) if alike else "the name exactly as `chorus show` has it"
        raise NothingFound("no entry by that author", hint=hint)
    return Chosen(found)


def _by_entry(tables: Tables, name: str) -> Chosen:
    from store.filters import MIN_PREFIX, is_in, starts_with

    if len(name) < MIN_PREFIX:
        raise UsageError(f"{name}: too short for an id", hint=f"give at least {MIN_PREFIX} characters")
    prefix = name.lower()
    where = f"{starts_with('entry_id', prefix)} OR {starts_with('revision_id', prefix)}"
    ids = sorted({row["entry_id"] for row in tables.rows("entries", where, ["entry_id"])})
    if not ids:
        raise NothingFound(f"{name}: no such entry", hint="chorus show THREAD --json names them")
    if len(ids) > 1:
        raise UsageError(f"{name}: stands for {len(ids)} entries", hint="give more of the id")
    return Chosen(list(tables.iter_entries(is_in("entry_id", ids))))


def _by_url(tables: Tables, url: str) -> Chosen:
    """The entry whose own address it is; else the page with everything on it."""
    from store.filters import is_in, quote

    every = tables.threads()
    threads = [t for t in every if url in (t.url, t.canonical_url)]
    ids = {t.thread_id for t in threads}
    visits = list(tables.rows("visits", columns=["url", "final_url", "thread_id"]))
    seen = [row for row in visits if row["thread_id"] in ids or url in (row["url"], row["final_url"])]
    ids |= {row["thread_id"] for row in seen if row["thread_id"]}
    if not seen and not threads:
        entries = [row["entry_id"] for row in tables.rows("entries", f"url = {quote(url)}", ["entry_id"])]
        if not entries:
            raise NothingFound("no page and no entry with that address", hint="chorus threads lists them")
        return Chosen(list(tables.iter_entries(is_in("entry_id", sorted(set(entries))))))
    addresses = {address for row in seen for address in (row["url"], row["final_url"]) if address}
    addresses |= {address for t in every if t.thread_id in ids for address in (t.url, t.canonical_url)}
    revisions = list(tables.iter_entries(is_in("thread_id", sorted(ids)))) if ids else []
    return Chosen(revisions, {urldefrag(address).url for address in addresses})


def _add_surroundings(tables: Tables, chosen: Chosen) -> None:
    """Titles of the threads, and the pictures that show any of it."""
    wanted = {entry.revision_id for entry in chosen.revisions}
    threads = {entry.thread_id for entry in chosen.revisions}
    chosen.titles = {t.thread_id: t.title or t.url for t in tables.threads() if t.thread_id in threads}
    for thread in threads:
        for visit in tables.visits(thread):
            if visit.screenshot and wanted.intersection(visit.revision_ids):
                chosen.pictures.add(visit.screenshot.record_id)


def _course(archive: Archive, tables: Tables, chosen: Chosen, request: ForgetRequest, redaction: str) -> Course:
    from harvest.rewrite import Course

    return Course(
        redaction, _erasure(archive, tables, chosen, request), frozenset(chosen.addresses), frozenset(chosen.pictures)
    )


def _erasure(archive: Archive, tables: Tables, chosen: Chosen, request: ForgetRequest) -> Erasure:
    from harvest.redact import Erasure, Words
    from store.filters import is_in
    from store.redactions import erased, selector_key

    words: dict[tuple[str, str | None], Words] = {}
    ids, threads = frozenset(chosen.entry_ids), sorted({entry.thread_id for entry in chosen.revisions})
    earlier: dict[str, list[Entry]] = {}
    for one in tables.iter_entries(is_in("thread_id", threads)) if threads else ():
        earlier.setdefault(one.thread_id, []).append(one)
    for entry in chosen.revisions:
        own_text = "" if entry.state == "deleted" else entry.text  # else a site's notice, which is no one's words
        texts = [own_text, chosen.titles.get(entry.thread_id, "") if entry.kind == "post" else ""]
        before = earlier.get(entry.thread_id, ())
        own = tuple(one.text for one in before if one.position < entry.position and one.entry_id not in ids)
        words |= {(text, entry.author): Words(text, entry.author, own) for text in texts if text.strip()}
    known = erased(archive).selectors if request.scope == "again" else frozenset()
    names = {entry.author for entry in chosen.revisions if entry.author and entry.author.strip()}
    if request.scope != "author":  # what came back of an entry says nothing of its author's other ones
        names = {name for name in names if selector_key(archive, "author", name) in known}
    sites = {t.site for t in tables.threads()}
    return Erasure(
        words=tuple(words.values()),
        names=tuple(sorted(names)),
        urls=tuple(sorted({e.author_url for e in chosen.revisions if e.author_url and _own(e.author_url, sites)})),
        pages=tuple(sorted(url for url in chosen.addresses if urlsplit(url).path.strip("/"))),
        hashes=tuple(sorted(_hashes(archive, chosen.revisions))),
    )


def _own(url: str, sites: set[str]) -> bool:
    """Whether an author's address leads to somewhere else than a site of the archive: that one is everybody's."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return len(url) >= MIN_ADDRESS and host != "" and host not in sites


def _hashes(archive: Archive, revisions: Sequence[Entry]) -> set[str]:
    """Hashed mail addresses that stand beside the entries where these were read."""
    from harvest.redact import Words, avatar_hashes, decoded
    from harvest.warc import read_record

    found: set[str] = set()
    for entry in [e for e in revisions if e.evidence and e.text.strip()][:LOOKED_INTO]:
        evidence = entry.evidence
        if evidence is None:
            continue
        try:
            record = read_record(archive.warc_dir / evidence.warc, evidence.offset)
        except (OSError, ValueError):
            continue  # an interrupted erasure has moved it
        found |= avatar_hashes(decoded(record.payload)[0], Words(entry.text, entry.author))
    return found


def _tell_of_mentions(tables: Tables, chosen: Chosen, request: ForgetRequest, quiet: bool) -> None:
    """Others may speak of someone by part of their name; whether that is meant only a reader can say."""
    if request.scope != "author":
        return
    parts = {part for e in chosen.revisions for part in (e.author or "").split() if len(part) >= MIN_NAME}
    found = {e.entry_id[:10] for e in tables.iter_entries() if not parts.isdisjoint(re.findall(r"[\w'-]+", e.text))}
    if found:
        some = ", ".join(sorted(found)[:5])
        note(
            f"{len(found)} entries by others hold part of the name ({some}); read them: chorus show ID, then --entry ID",
            quiet=quiet,
        )


# -- taking it out ---------------------------------------------------------------------------------------------


def _rewrite(archive: Archive, course: Course, chosen: Chosen, request: ForgetRequest, quiet: bool) -> dict[str, int]:
    """Write every file that holds any of it anew; they take the old ones' places together, at the end. Returns what was done."""
    from store.redactions import fresh_file, replace_files

    changes: list[Change] = []
    names: list[str] = []
    try:
        with Progress("WARC files read", len(archive.warcs()), quiet=quiet) as progress:
            for warc in archive.warcs():
                done = course.without(warc, fresh_file(archive, warc.name))
                if done:
                    names.append(warc.name)
                changes += done
                progress.step(detail=warc.name)
    except ArchiveError:
        for name in names:
            fresh_file(archive, name).unlink()
        raise
    for name in names:
        _sync(fresh_file(archive, name))
    counts = {
        "entries": len(chosen.entry_ids),
        "revisions": len(chosen.revisions),
        **{f"WARC records {what}": sum(c.what == what for c in changes) for what in ("redacted", "removed")},
    }
    _forget_payloads(archive, course)  # first: from now on nothing new may lean on what is about to go
    replace_files(archive, names, _log_row(chosen, request, course.redaction, changes, counts))
    return counts


def _sync(path: Path) -> None:
    import os

    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _forget_payloads(archive: Archive, course: Course) -> None:
    from harvest.payloads import INDEX_FILE, PayloadIndex

    place = archive.root / INDEX_FILE
    if place.exists():
        index = PayloadIndex(place, archive.warc_dir)
        index.forget(course.digests)
        index.close()


def _texts(tables: Tables, chosen: Chosen) -> list[str]:
    """Every stretch of the entries that a model may have read."""
    ids = sorted({entry.revision_id for entry in chosen.revisions})
    found = {entry.text for entry in chosen.revisions}
    for name in ("passages", "labels"):
        found |= {row["text"] for row in tables.rows_by_ids(name, "revision_id", ids, ["text"])}
    return sorted(found)


def _cached(texts: Iterable[str]) -> int:
    """Vectors are kept beside the archive, too, by their texts' hashes."""
    from nlp.cache import EmbeddingStore, store_path
    from nlp.plain import plain

    if not store_path().exists():
        return 0
    store = EmbeddingStore(store_path())
    try:
        return store.forget({form for text in texts for form in (text, plain(text))})
    finally:
        store.close()


def _annotations(archive: Archive, chosen: Chosen) -> int:
    from store.annotations import erase_texts

    return erase_texts(archive, frozenset(chosen.entry_ids), [entry.text for entry in chosen.revisions])


def _orphans(tables: Tables, chosen: Chosen) -> None:
    """Passages repeat the name of the one replied to, and the post's title: such are made anew, not carried over."""
    from store.filters import is_in

    table = tables.table("passages")
    posts = sorted({entry.thread_id for entry in chosen.revisions if entry.kind == "post"})
    replies = tables.rows_by_ids("entries", "parent_id", chosen.entry_ids, ["revision_id"])
    ids = sorted({row["revision_id"] for row in replies})
    for column, values in (("revision_id", ids), ("thread_id", posts)):
        if table is not None and values:
            table.delete(is_in(column, values))


def _frontier(archive: Archive, chosen: Chosen) -> None:
    from harvest.frontier import Frontier

    if chosen.addresses and archive.frontier_file.exists():
        frontier = Frontier(archive.frontier_file)
        try:
            for url in chosen.addresses:
                frontier.forget(url)
        finally:
            frontier.close()


def _outputs(archive: Archive, erasure: Erasure) -> list[str]:
    """What was exported or packed into the archive's own directory tells it, too: it goes, and can be made again.

    Packages cannot be searched and go in any case; of other files those in which any of it is found. What is left is named.
    """
    from store.lock import LOCK_FILE

    removed, left = [], []
    for place in sorted(path for path in archive.root.rglob("*") if path.is_file() or path.is_symlink()):
        name = place.relative_to(archive.root)
        if name.parts[0].removesuffix("-wal").removesuffix("-shm") in OWN or str(name) == LOCK_FILE:
            continue
        if place.name.endswith(PACKAGES) or _tells(place, erasure):
            place.unlink()
            removed.append(str(name))
        else:
            left.append(str(name))
    if removed:
        note("removed what was made from the archive before, make it again: " + ", ".join(removed))
    if left:
        note("nothing to erase was found in these, look yourself: " + ", ".join(left))
    return removed


def _tells(place: Path, erasure: Erasure) -> bool:
    from harvest.redact import decoded

    if place.is_symlink():
        return False
    text = decoded(place.read_bytes())[0].replace('""', '"')  # CSV doubles what it quotes
    return erasure.may_touch(text) and erasure.apply(text)[0] != text


def _manifests(archive: Archive, chosen: Chosen, erasure: Erasure) -> int:
    """Run manifests repeat addresses and names that commands were given; returns how many said less afterwards."""
    from harvest.redact import MARK
    from store.archive import write_atomically

    changed = 0
    for path in sorted(archive.runs_dir.glob("*.json")):
        old = path.read_text(encoding="utf-8")
        new = erasure.apply(old)[0]
        for url in sorted(chosen.addresses, key=len, reverse=True):
            new = new.replace(url, MARK)
        if new != old:
            write_atomically(path, new.encode())
            changed += 1
    return changed


def _log_row(
    chosen: Chosen, request: ForgetRequest, redaction: str, changes: Sequence[Change], counts: dict[str, int]
) -> dict[str, Any]:
    """What the log will keep of it."""
    from store.archive import chorus_version

    touched = [change for change in changes if change.what != "moved"]
    return {
        "redaction": redaction,
        "at": now(),
        "version": chorus_version(),
        "scope": request.scope,
        "selector": chosen.selector,
        "reason": request.reason,
        "entries": chosen.entry_ids,
        "counts": counts,
        "records": [
            {
                "warc": c.warc,
                "record_id": c.record_id,
                "what": c.what,
                "before": c.digest_before,
                "after": c.digest_after,
            }
            for c in touched
        ],
    }

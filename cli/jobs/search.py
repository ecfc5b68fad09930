"""Search: a question in, ranked passages out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import note
from store.records import ArchiveLocked, ConfigError, NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.encoder import Encoder
    from store.archive import Archive
    from store.hits import Hit, ThreadHit
    from store.query import Query
    from store.search import Filter, SearchIndex

#: A search that finds the light index old brings it up to date itself if so many passages are missing at most (a second
#: or two); otherwise LanceDB answers, and the next indexing does it.
REFRESHED_BY_SEARCH = 10_000

#: Passages looked at for each thread that is asked for, so that threads with several good ones show.
PASSAGES_PER_THREAD = 8

#: Names offered when an author or site is not known.
SUGGESTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What to look for. One of ``query`` and ``like`` is given; the rest narrows, and says how much is shown around."""

    query: str | None = None
    like: str | None = None
    mode: str = "hybrid"
    k: int = 10
    site: str | None = None
    author: str | None = None
    label: str | None = None
    kind: str | None = None
    since: str | None = None
    until: str | None = None
    thread: str | None = None
    context: int = 0
    folded: bool = True

    def filter(self) -> Filter:
        """The options that narrow."""
        from store.filters import Filter

        names = ("site", "author", "label", "kind", "since", "until", "thread")
        return Filter(**{name: getattr(self, name) for name in names})


def run_search(path: Path, request: SearchRequest) -> list[Hit]:
    """The best passages, best first. Raises ``NothingFound`` when none matches."""
    return Searcher(path).hits(request)


class Searcher:
    """An archive opened for searching. The index and the model are loaded once; the index follows the archive.

    ``resident`` prepares for many questions instead of one: the start costs a little more, each answer less.
    """

    def __init__(self, path: Path, *, resident: bool = False) -> None:
        # One thread does here: a query is too small to share out, and waiting threads burn CPU. Read before numpy is.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        self._path, self._resident = path, resident
        self._light: SearchIndex | None = None
        self._state: str | None = None

    def prepare(self) -> None:
        """Load the index and the model now, so that the first question is answered as quickly as the others."""
        if self.index.passages:
            self._encoder.encode(["ready"])

    def hits(self, request: SearchRequest) -> list[Hit]:
        """The best passages, with the entries around them if asked. Raises ``NothingFound``."""
        from store.search import more_like, search, with_context

        query, index = self._understood(request), self.index
        if request.like is not None:
            hits = more_like(index, request.like, k=request.k, filter=request.filter())
        else:
            vector = self._vector(query, request.mode)
            hits = search(
                index, query, vector, mode=request.mode, k=request.k, filter=request.filter(), folded=request.folded  # type: ignore[arg-type]  # checked
            )  # fmt: skip
        if not hits:
            raise NothingFound("nothing found", hint=self._hint(request, query))
        return with_context(index, hits, request.context) if request.context else hits

    def threads(self, request: SearchRequest) -> list[ThreadHit]:
        """The best threads. Raises ``NothingFound``."""
        from dataclasses import replace

        from store.search import rank_threads

        return rank_threads(self.hits(replace(request, k=request.k * PASSAGES_PER_THREAD)), request.k)

    def every(self, request: SearchRequest) -> tuple[int, Iterator[Hit]]:
        """How many passages hold all the words, and these, streamed. Raises ``NothingFound``."""
        from store.search import every

        if request.like is not None:
            raise UsageError("--count and --all need a QUERY", hint="--like ranks by meaning; limit it with -k")
        query = self._understood(request)
        count, hits = every(self.index, query, filter=request.filter())
        if not count:
            raise NothingFound("no passage holds all of that", hint=self._hint(request, query))
        return count, hits

    # -- parts -------------------------------------------------------------------------------------------------

    @property
    def index(self) -> SearchIndex:
        """The light index if it stands for the tables, else LanceDB, which takes two seconds to import."""
        from store.light import LightIndex, table_state

        archive = self._archive
        if self._light is not None and self._state == table_state(archive.tables_dir):
            return self._light
        light = LightIndex.open(archive.tables_dir)
        if light is not None:
            self._light, self._state = light, light.state
            return light
        return self._behind(archive)

    def _behind(self, archive: Archive) -> SearchIndex:
        """Bring the light index up to date if that is quickly done; else answer through LanceDB."""
        from store.lance_index import LanceIndex
        from store.light import LightIndex, read_index
        from store.tables import Tables

        tables = Tables.open(archive)
        old = read_index(archive.tables_dir)
        missing = abs(tables.count("passages") - sum(part["rows"] for part in (old or {}).get("segments", ())))
        if missing <= REFRESHED_BY_SEARCH:
            try:
                tables.refresh_search(wait=False)
            except (OSError, ArchiveLocked):  # an archive that is only read, or being indexed
                return LanceIndex(tables)
            light = LightIndex.open(archive.tables_dir)
            if light is not None:
                return light
        elif tables.count("passages"):
            note(f"the search index is {missing} passages behind; until it is made again a search takes longer")
        return LanceIndex(tables)

    @cached_property
    def _archive(self) -> Archive:
        from store.archive import Archive

        return Archive.open(self._path)

    @cached_property
    def _encoder(self) -> Encoder:
        from cli.jobs.index import open_encoder

        return open_encoder("queries" if self._resident else "query")

    def _understood(self, request: SearchRequest) -> Query:
        from store.query import MAX_CHARACTERS, Query, parse_query

        if (request.query is None) == (request.like is None):
            raise UsageError("give a QUERY or --like ID", hint='chorus search "who is this for"')
        request.filter().conditions()  # raises on what cannot be
        if request.query is None:
            return Query()
        query = parse_query(request.query)
        if query.is_empty:
            raise UsageError("the query is empty")
        if len(request.query) > MAX_CHARACTERS:
            note(f"the query is long: its first {MAX_CHARACTERS} characters are looked for")
        return query

    def _vector(self, query: Query, mode: str) -> Any:
        """The query's embedding, made only if something is to be compared with it."""
        if mode == "text" or not query.text or not self.index.passages:
            return None
        theirs, ours = self.index.encoder, self._encoder.fingerprint
        if theirs != ours:
            raise ConfigError(
                f"the archive's vectors come from {theirs}, the configured model is {ours}",
                hint="use the same model, or remove tables/ and run chorus rebuild",
            )
        return self._encoder.encode([query.text])[0]

    def _hint(self, request: SearchRequest, query: Query) -> str:
        from dataclasses import replace

        if not self.index.passages:
            return "the archive holds no text yet: chorus harvest URL"
        for condition in replace(request.filter(), also=query.conditions).conditions():
            if condition.field == "label" and not self.index.classified:
                return "nothing is classified yet: chorus classify"
            if condition.field == "label" and not set(condition.values) & set(known := self.index.values("label")):
                return "labels here: " + ", ".join(known)
            if condition.field in ("author", "site") and not condition.negated:
                near = _like_it(condition.values[0], self.index.values(condition.field))
                if near:
                    return f"{condition.field}s here: " + ", ".join(near)
        return "try other words or fewer filters"


def _like_it(wanted: str, known: list[str]) -> list[str]:
    """Known names that share a word with the one asked for, unless it is known itself."""
    if wanted in known:
        return []
    words = {word for word in wanted.replace(".", " ").split() if len(word) > 1}
    near = [
        name for name in known if words & set(name.replace(".", " ").split()) or (len(wanted) > 2 and wanted in name)
    ]
    return [f'"{name}"' if " " in name else name for name in near[:SUGGESTIONS]]

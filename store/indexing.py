"""The indices of the passages table, each built from the size on at which it pays, and the upkeep of all tables."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.tables import Tables

__all__ = ["compact", "index_passages"]

#: Below this many passages a scan of the text is as quick as an index; the index is then left for later.
TEXT_INDEX_FROM = 64

#: Filter columns are read whole below this: 9 ms at 100,000 rows with an index, about 20 ms at this size without.
SCALAR_INDICES_FROM = 20_000

#: LanceDB answers only while the light index is behind, and its import takes two seconds; comparing with every vector
#: takes 2 ms per 1,000 rows (benchmarks/search_bench.py), so here it reaches a quarter of that.
VECTOR_INDEX_FROM = 250_000

#: Column -> the index that fits how it is asked for.
SCALARS = {
    "passage_id": "BTREE",
    "thread_id": "BTREE",
    "published": "BTREE",
    "site": "BITMAP",
    "kind": "BITMAP",
    "labels": "LABEL_LIST",
}

#: Commits leave small files; from so many on, a table is written together.
FRAGMENTS = 16

#: Old versions stay this long, for readers that opened the table before: far longer than any query takes.
KEEP_VERSIONS = timedelta(hours=1)


def index_passages(tables: Tables) -> None:
    """Take up new passages in every index, build those that pay from now on, and write small files together."""
    table = tables.table("passages")
    if table is None:
        return
    rows = int(table.count_rows())
    indexed = {tuple(index.columns) for index in table.list_indices()}
    if indexed:
        table.optimize(cleanup_older_than=KEEP_VERSIONS)
    if rows >= TEXT_INDEX_FROM and ("text",) not in indexed:
        _index_text(table)
    if rows >= SCALAR_INDICES_FROM:
        for column in SCALARS.keys() - {name for (name,) in indexed}:
            table.create_index(column, config=_scalar(SCALARS[column]))
    if rows >= VECTOR_INDEX_FROM and ("vector",) not in indexed:
        # Measured at 100,000 x 384: built in 7 CPU seconds (IVF_PQ 75), recall@10 1.00 with refine at 15 ms (IVF_PQ .997, 7 ms)
        from lancedb.index import IvfSq

        table.create_index("vector", config=IvfSq(distance_type="cosine"))


def _scalar(kind: str) -> Any:
    from lancedb import index

    return {"BTREE": index.BTree, "BITMAP": index.Bitmap, "LABEL_LIST": index.LabelList}[kind]()


def _index_text(table: Any) -> None:
    from lancedb.index import FTS

    # stop words are kept: "who is it for" and quoted phrases are made of them
    table.create_index("text", config=FTS(with_position=True, remove_stop_words=False))


def compact(tables: Tables, names: tuple[str, ...]) -> None:
    """Write small files of the other tables together and drop versions that are older than any reader."""
    for name in names:
        table = tables.table(name)
        if table is not None and table.stats()["fragment_stats"]["num_fragments"] >= FRAGMENTS:
            table.optimize(cleanup_older_than=KEEP_VERSIONS)

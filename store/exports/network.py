"""Who answers whom, as a GEXF 1.3 graph for Gephi, networkx or igraph: people are nodes, replies weighted edges."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import IO
from xml.sax.saxutils import quoteattr

from store.exports.material import Material

#: XML 1.0 has no place for these, escaped or not.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

#: Columns of a node before the labels' shares.
COUNTS = ("entries", "posts", "replies_given", "replies_received")


def gexf(material: Material, out: IO[bytes]) -> int:
    """Write the graph; returns how many people are in it. Entries that nobody signed are left out.

    ``share_…`` is the part of a person's labelled sentences (newest classification) that bear a label; absent without any.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    edges: Counter[tuple[str, str]] = Counter()
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for document in material.documents():
        authors = {entry.entry_id: entry.author for entry in document.entries}
        poster = document.post.author if document.post else None
        called = material.sentence_counts(document)
        for entry in document.entries:
            if not entry.author:
                continue
            own = counts[entry.author]
            own["entries"] += 1
            own["posts"] += entry.kind == "post"
            labels[entry.author].update(called.get(entry.revision_id, {}))
            answered = None if entry.kind == "post" else authors.get(entry.parent_id or "", poster)
            if answered:
                edges[entry.author, answered] += 1
                own["replies_given"] += 1
                counts[answered]["replies_received"] += 1
    _write(material, out, counts, edges, labels)
    return len(counts)


def _write(
    material: Material,
    out: IO[bytes],
    counts: dict[str, Counter[str]],
    edges: Counter[tuple[str, str]],
    labels: dict[str, Counter[str]],
) -> None:
    names = sorted(counts)
    number = {name: n for n, name in enumerate(names)}
    columns = [(name, "integer") for name in COUNTS] + [(f"share_{label}", "double") for label in material.labels]

    def line(text: str) -> None:
        out.write(text.encode("utf-8") + b"\n")

    line('<?xml version="1.0" encoding="UTF-8"?>')
    line('<gexf xmlns="http://gexf.net/1.3" version="1.3">')
    line(f"  <meta><creator>chorus {material.version}</creator><description>Who answers whom</description></meta>")
    line('  <graph mode="static" defaultedgetype="directed">')
    line('    <attributes class="node">')
    for n, (title, kind) in enumerate(columns):
        line(f'      <attribute id="{n}" title={_quoted(title)} type="{kind}"/>')
    line("    </attributes>")
    line("    <nodes>")
    for name in names:
        values = [str(counts[name][column]) for column in COUNTS]
        total = labels[name].total()
        values += [f"{labels[name][label] / total:.6f}" if total else "" for label in material.labels]
        cells = "".join(f'<attvalue for="{n}" value="{value}"/>' for n, value in enumerate(values) if value)
        line(f'      <node id="{number[name]}" label={_quoted(name)}><attvalues>{cells}</attvalues></node>')
    line("    </nodes>")
    line("    <edges>")
    for n, ((source, target), weight) in enumerate(sorted(edges.items())):
        line(f'      <edge id="{n}" source="{number[source]}" target="{number[target]}" weight="{weight}"/>')
    line("    </edges>")
    line("  </graph>")
    line("</gexf>")


def _quoted(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))

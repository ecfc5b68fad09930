"""Two classifications compared, as text for a terminal."""

from __future__ import annotations

from cli.jobs.runs import RunsDiff
from cli.output import printable, shorten

#: Characters of a changed unit's text on a line.
TEXT_WIDTH = 90


def diff_text(diff: RunsDiff) -> str:
    """Counts, the confusion table (rows: a, columns: b), then examples."""
    share = diff.changed / diff.compared if diff.compared else 0.0
    kappa = "" if diff.kappa is None else f", kappa {diff.kappa:.3f}"
    lines = [
        f"a  {diff.a.name}  {diff.a.model or 'unknown model'}",
        f"b  {diff.b.name}  {diff.b.model or 'unknown model'}",
        f"{diff.changed} of {diff.compared} changed their label ({share:.1%}){kappa}; "
        f"{diff.only_a} only in a, {diff.only_b} only in b",
        "",
        *_table(diff),
    ]
    for example in diff.examples:
        chances = "/".join("-" if p is None else f"{p:.2f}" for p in (example.a_probability, example.b_probability))
        lines += ["", f"{example.a} → {example.b}  ({chances})  {example.id}"]
        lines += [f"  {shorten(example.text, TEXT_WIDTH)}"] if example.text else []
    return "\n".join(printable(line) for line in lines)


def _table(diff: RunsDiff) -> list[str]:
    names = list(diff.confusion)
    first = max(len("from a \\ to b"), *map(len, names))
    widths = [max(len(name), 7) for name in names]
    head = "  ".join(["from a \\ to b".ljust(first), *(n.rjust(w) for n, w in zip(names, widths, strict=True))])
    rows = [
        "  ".join([x.ljust(first), *(str(diff.confusion[x][y]).rjust(w) for y, w in zip(names, widths, strict=True))])
        for x in names
    ]
    return [head, *rows]

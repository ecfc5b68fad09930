"""The other chapters: what the archive is, examples, words, how sure it all is, where it comes from."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from cli.report.page import Heat, Link, Note, Quote, Quotes, Section, Table
from cli.report.plots import butterfly, cut, number, percent, stacked
from store.records import ChorusError, NothingFound

if TYPE_CHECKING:
    from cli.jobs.keyness import KeynessReport
    from cli.report.calls import Called
    from cli.report.material import Material

#: Values listed of a column, most frequent first.
MAX_VALUES = 12

#: Examples of a label, key words of a side, runs, characters of a run's parameters.
EXAMPLES, WORDS, RUNS, PARAMETERS = 5, 15, 20, 400

#: Colours of the stacked bar: as good, as a warning, as unknown.
COMPLETENESS = (("complete", 2), ("partial", 1), ("unknown", 7))


# -- 1. what it is -------------------------------------------------------------------------------------------------


def contents(material: Material) -> Section:
    """What the archive holds."""
    census = material.census
    threads, reasons = census.threads, census.threads.by["completeness_reason"]
    complete = threads.by["completeness"]
    facts = [
        ("Archive", material.archive.root.resolve().name),
        ("Published", _span(census.published.first, census.published.last)),
        ("Harvested", _span(threads.harvested.first, threads.harvested.last)),
        ("Visits", _counts(threads.visits)),
        ("Threads", threads.count),
        ("Visible entries", f"{len(census)}: {_counts(census.kinds)}" if len(census) else 0),
        ("Labelled sentences", 0 if material.calls is None else len(material.calls)),
        ("Comments captured", f"{threads.captured}; the pages announce {threads.announced}"),
        ("Sites", _counts(threads.by["site"])),
        ("Platforms", _counts(threads.by["platform"])),
        ("Languages", _counts(threads.by["language"])),
    ]
    bar = stacked("complete", "Threads by completeness", [(n, complete[n], c) for n, c in COMPLETENESS if complete[n]])
    table = Table("Threads by completeness, in numbers", ("Completeness", "Threads"), tuple(complete.most_common()))
    parts: list[Any] = [Table("The archive", ("What", "Value"), tuple(facts), numbers=2), bar, table]
    if reasons:
        rows = tuple(_most(reasons))
        parts.append(Table("Why threads are not known to be complete", ("Reason", "Threads"), rows))
    return Section("contents", "What this is", tuple(parts))


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first, equals by name."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_VALUES]


def _counts(counts: Counter[str]) -> str:
    rest = len(counts) - MAX_VALUES
    said = ", ".join(f"{name} ({count})" for name, count in _most(counts))
    return (said + (f", and {rest} more" if rest > 0 else "")) or "none"


def _span(first: str | None, last: str | None) -> str:
    if first is None or last is None:
        return "no dates"
    return first if first == last else f"{first} to {last}"


# -- 4. examples ---------------------------------------------------------------------------------------------------


def examples(material: Material) -> Section:
    """The surest sentences of each label, each from another thread."""
    calls = material.calls
    title = "Examples"
    if calls is None:
        return Section("examples", title, (Note(material.no_labels),))
    chosen = {label: calls.surest[label].first(EXAMPLES) for label in calls.labels}
    entries = material.census.corpus.tables.revisions([one.revision_id for many in chosen.values() for one in many])
    intro = (
        "For each label the sentences with the highest probability, each from another thread, no text twice: what the machine "
        "is surest of, not what is typical. The link leads to the source, the line below it to the record in the archive."
    )
    parts: list[Any] = [intro]
    for n, label in enumerate(calls.labels):
        quotes = tuple(_quote(material, one, entries.get(one.revision_id)) for one in chosen[label])
        parts.append(Quotes(label, n, quotes))
    return Section("examples", title, tuple(parts))


def _quote(material: Material, one: Called, entry: Any) -> Quote:
    place = material.census.corpus.threads[one.thread_id]
    evidence = entry.evidence if entry else None
    return Quote(
        text=one.text,
        probability=one.probability,
        author=entry.author if entry else None,
        when=entry.published[:10] if entry and entry.published else None,
        place=Link(place.title or place.url, (entry.url if entry else None) or place.url),
        warc=f"warc/{evidence.warc}" if evidence else None,
        offset=evidence.offset if evidence else None,
        record_id=evidence.record_id if evidence else None,
    )


# -- 5. words ------------------------------------------------------------------------------------------------------


def words(material: Material) -> Section:
    """Which words set the first two labels apart."""
    title = "Words"
    calls = material.calls
    if calls is None:
        return Section("words", title, (Note(material.no_labels),))
    pair = (calls.labels[0], calls.labels[1])
    found = [_keywords(material, *sides) for sides in (pair, pair[::-1])]
    notes = [Note(one) for one in found if isinstance(one, str)]
    reports = [one for one in found if not isinstance(one, str)]
    if not reports:
        return Section("words", title, tuple(notes))
    name = f"Words of {pair[0]} and of {pair[1]}"
    left, right = ([] if isinstance(one, str) else [(row["word"], row["g2"]) for row in one.rows] for one in found)
    cells = tuple(_word(row) for report in reports for row in report.rows)
    columns = ("Word", "Used more in", "Count", "Count in the other", "G2", "Log ratio", "Authors", "q")
    plot = butterfly("words-plot", name, pair, (left, right))
    table = Table(f"{name}, in numbers", columns, cells, numbers=2)
    return Section("words", title, (_how_counted(reports[0].about), *notes, plot, table))


def _keywords(material: Material, target: str, reference: str) -> KeynessReport | str:
    """The key words, or why there are none."""
    from cli.jobs.keyness import KeynessRequest, keyness_report

    request = KeynessRequest(by="label", target=target, reference=reference, k=WORDS)
    try:
        return keyness_report(material.archive.root, request)
    except NothingFound as error:
        return f"{target} against {reference}: {error}."


def _word(row: dict[str, Any]) -> tuple[Any, ...]:
    """A key word's cells."""
    head = (row["word"], row["target"], row["count"], row["reference_count"])
    return *head, f"{row['g2']:.1f}", number(row["log_ratio"]), row["authors"], f"{row['q']:.2g}"


def _how_counted(about: dict[str, Any]) -> str:
    return (
        f"Words that one label's sentences use more than the other's, by log-likelihood (G2): at least {about['min_count']} "
        f"times, by at least {about['min_authors']} authors, false-discovery rate q up to {about['max_q']}. A classifier is "
        "trained on words: what is key of a label is partly what it looks for. Counted are the newest labels, by "
        f"{', '.join(about['models'])}."
    )


# -- 6. how sure ---------------------------------------------------------------------------------------------------


def certainty(material: Material) -> Section:
    """How the classifier errs, what it left out, and that all this is a machine's."""
    return Section("certainty", "How sure is this?", tuple(_certainty(material)))


def _certainty(material: Material) -> list[Any]:
    parts: list[Any] = [
        Note(
            "All labels in this report are a machine's. They are never human codings, and must not be quoted as such.",
            True,
        ),
        _humans(material),
    ]
    if material.classifier is None:
        return [*parts, Note(material.no_labels)]
    parts.append(Table("Errors and gaps", ("What", "Value"), tuple(_errors(material)), numbers=2))
    if material.errors is None:
        return [*parts, Note("The model brings no held-out confusion: --gold FILE with coded sentences.")]
    counts = material.errors.counts if material.evaluation is None else material.evaluation["confusion"]
    parts += [Note(f"{remark}.") for remark in material.errors.remarks]
    caption = f"What is called what: truth in rows, calls in columns, counts on {material.errors.source}"
    parts.append(Heat(caption, material.classifier.labels, tuple(tuple(map(int, row)) for row in counts)))
    return [*parts, *_gold(material)]


def _humans(material: Material) -> str:
    from store.annotations import current_codings

    try:
        rows = current_codings(material.archive)
    except ChorusError as error:
        return f"Human codings in the archive cannot be counted: {error}."
    coders = len({row.get("coder") for row in rows})
    said = f"{len(rows)} by {coders} coder{'' if coders == 1 else 's'}" if rows else "none"
    return f"Human codings in the archive: {said}; none of them is in the figures of this report."


def _errors(material: Material) -> list[tuple[str, Any]]:
    from cli.jobs.estimate import about_estimates

    rows: list[tuple[str, Any]] = []
    if material.errors is not None and material.classifier is not None:
        about = about_estimates(material.classifier, material.errors)
        rows.append(("Sentences that were called wrongly", percent(about["held_out_error"])))
        if about["meta_as_promotion"] is not None:
            rows.append(("Meta-talk taken for self-promotion", percent(about["meta_as_promotion"])))
        rows.append(("Told by", about["confusion_from"]))
    calls, census = material.calls, material.census
    if calls is not None:
        abstained = int(calls.abstained.sum())
        rows.append(("Sentences on which the model abstained", f"{abstained} ({percent(abstained / len(calls))})"))
        each = ", ".join(
            f"{label} {count}" for label, count in zip(calls.labels, calls.abstained, strict=True) if count
        )
        rows += [("… which it would have called", each)] if each else []
    labelled = 0 if calls is None else calls.labelled_entries
    without = len(census) - labelled
    share = f" ({percent(without / len(census))})" if len(census) else ""
    rows.append(("Visible entries without a label", f"{without} of {len(census)}{share}"))
    rows.append(("… which have no text", int((~census.has_text).sum())))
    return rows


def _gold(material: Material) -> list[Any]:
    found = material.evaluation
    if found is None:
        return [
            "How well calibrated the probabilities are here is not known: --gold FILE with sentences that people coded."
        ]
    low, high = found["macro_f1_interval"] or (None, None)
    interval = "" if low is None else f" (95 % interval {low:.3f} to {high:.3f})"
    facts = (
        ("Coded sentences", f"{found['units']}, of {found['clusters']} pages or threads"),
        ("Macro-F1", f"{found['macro_f1']:.3f}{interval}"),
        ("Right", percent(found["accuracy"])),
        ("Krippendorff's alpha, machine against human", "–" if found["alpha"] is None else f"{found['alpha']:.3f}"),
        ("Expected calibration error of the winning probability", f"{found['calibration_error']:.3f}"),
    )
    rows = tuple(
        (label, one["support"], number(one["precision"]), number(one["recall"]), number(one["f1"]))
        for label, one in found["labels"].items()
    )
    return [
        Table("Against the coded sentences", ("What", "Value"), facts, numbers=2),
        Table("By label", ("Label", "Coded", "Precision", "Recall", "F1"), rows),
    ]


# -- 7. provenance -------------------------------------------------------------------------------------------------


def provenance(material: Material, command: str) -> Section:
    """Which model, codebook, versions, runs and command this report comes from."""
    rows: list[tuple[str, Any]] = [("Command", command), ("Archive", str(material.path))]
    if material.classifier is not None:
        book = material.codebook
        rows += [
            ("Model", material.classifier.name),
            ("Codebook", f"{book.name}, version {book.version}"),
            ("Codebook's digest", material.classifier.codebook),
        ]
    rows += [(f"Version of {name}", value) for name, value in _versions().items()]
    parts: list[Any] = [Table("Where this comes from", ("What", "Value"), tuple(rows), numbers=2)]
    if material.classifier is not None:
        codes = tuple((code.label, code.code, code.name, code.definition) for code in material.codebook.codes)
        parts.append(Table("What the labels mean", ("Label", "Code", "Name", "Definition"), codes, numbers=4))
    return Section("provenance", "Where this comes from", (*parts, _runs(material)))


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from store.archive import chorus_version
    from store.manifest import PACKAGES

    found = {"chorus": chorus_version(), "python": platform.python_version()}
    for name in (*PACKAGES, "jinja2"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _runs(material: Material) -> Table | Note:
    from store.manifest import list_runs

    runs = list_runs(material.archive)
    if not runs:
        return Note("No run is recorded in this archive.")
    rows = tuple(
        (run.started_at, run.command, run.status, run.version, cut(_plain(run.parameters), PARAMETERS))
        for run in reversed(runs[-RUNS:])
    )
    more = f"{len(runs) - RUNS} earlier runs: chorus runs" if len(runs) > RUNS else None
    caption = "Runs, the latest first"
    return Table(caption, ("Started", "Command", "Status", "Version", "Parameters"), rows, numbers=5, more=more)


def _plain(parameters: dict[str, Any]) -> str:
    given = {name: value for name, value in parameters.items() if value not in (None, [], {}, False)}
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items()) or "–"

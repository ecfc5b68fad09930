"""Training a classifier on one's own codings, with the shipped corpus or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.codings import cluster_of, own_codings, read_coded
from store.records import ConfigError, NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.codebook import Codebook
    from nlp.corpus import CodedSentence
    from nlp.train import Report

#: Files that a directory of a classifier holds; ``--out`` writes into no directory that holds anything else.
FILES = {"model.json", "weights.npz", "codebook.toml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What to train on and where the classifier goes. ``corpus`` adds the shipped one (``None``: if the codebook is its own).
    Without ``context`` the classifier does not read the sentence before. The word of the coder ``decided_by`` is the last one."""

    files: Sequence[str]
    out: Path
    codebook: Path | None = None
    corpus: bool | None = None
    mix: Sequence[str] = ()
    archive: Path | None = None
    context: bool = True
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """The new classifier: held-out figures, what it was made of, and what was left out: units that coders ``disagreed`` on, and
    codings with ``other`` codebooks."""

    name: str
    sentences: int
    coded: int
    disagreed: int
    other: int
    report: Report
    labels: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Precision, recall and F1 of each label on held-out threads, then the macro-F1."""
        import numpy as np

        counts = np.array(self.report.confusion)
        rows: list[dict[str, Any]] = []
        for n, label in enumerate(self.labels):
            right, called, truly = int(counts[n, n]), int(counts[:, n].sum()), int(counts[n].sum())
            rows.append(
                {
                    "label": label,
                    "precision": right / called if called else None,
                    "recall": right / truly if truly else None,
                    "f1": 2 * right / (called + truly) if called + truly else None,
                    "sentences": truly,
                }
            )
        # of the labels as they are given in use, as the rows are; a label that is neither there nor called has no say
        found = [row["f1"] for row in rows if row["f1"] is not None]
        whole = {"label": "all (macro)", "f1": sum(found) / len(found) if found else None, "sentences": self.sentences}
        return [*rows, {"precision": None, "recall": None, **whole}]


def train_classifier(request: TrainRequest, tell: Callable[[str], None]) -> Trained:
    """Train and write the classifier. Raises ``UsageError`` for codings that do not fit, ``NothingFound`` for none."""
    from cli.config import resolve
    from nlp.classify import Classifier
    from nlp.codebook import load_codebook
    from nlp.encoder import acts_encoder, load_encoder
    from nlp.heads import DEEP_PART
    from nlp.train import SHIPPED_DEEP_PART, Material, train

    _check_out(request.out)
    codebook = load_codebook(request.codebook)
    configured = resolve("model").value
    # labels of another codebook may hang on what a text is about, which the embedding model knows best
    own = configured is None and codebook.digest == load_codebook().digest
    encoder = acts_encoder() if own else load_encoder(configured)
    gold = own_codings(_codings(request), codebook, request.decided_by)
    coded = [_sentence(str(row["id"]), row, codebook) for row in gold.rows]
    sentences = [*coded, *_more(request, codebook)]
    if not sentences:
        raise NothingFound("nothing is coded", hint="chorus sample > to-code.jsonl; chorus label to-code.jsonl")
    text = request.codebook.read_text(encoding="utf-8") if request.codebook is not None else None
    material = Material(
        sentences,
        codebook,
        _mix(request.mix, codebook),
        text,
        context_vector=request.context,
        deep_part=SHIPPED_DEEP_PART if own else DEEP_PART,
    )
    report = train(request.out, material, encoder, configured, tell)
    name = Classifier.load(request.out).name
    return Trained(name, len(sentences), len(coded), gold.disagreed, gold.other, report, codebook.order)


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file")
    odd = sorted({path.name for path in out.iterdir()} - FILES) if out.is_dir() else []
    if odd:
        raise UsageError(f"--out {out}: holds {odd[0]}, which is no part of a classifier", hint="name a new directory")


def _codings(request: TrainRequest) -> Iterable[dict[str, Any]]:
    if request.files:
        for path in request.files:
            yield from ({**row, "coder": row.get("coder") or Path(path).stem} for row in read_coded(path))
    elif request.archive is not None:
        from store.annotations import current_codings
        from store.archive import Archive

        yield from current_codings(Archive.open(request.archive))


def _sentence(name: str, row: dict[str, Any], codebook: Codebook) -> CodedSentence:
    from nlp.corpus import CodedSentence, Role

    if not isinstance(row.get("text"), str):
        raise UsageError(f"unit {name} has no text", hint="train takes the lines that `chorus label` writes")
    if row["label"] not in codebook.order:
        raise UsageError(
            f"unit {name}: label {row['label']!r} is not in the codebook", hint="labels: " + ", ".join(codebook.order)
        )
    thread = cluster_of(row)
    role: Role = "post" if row.get("role") == "post" else "comment"
    context, code = row.get("context") or None, str(row.get("code") or "")
    return CodedSentence(name, thread, role, context, row["text"], code, row["label"], thread)


def _more(request: TrainRequest, codebook: Codebook) -> list[CodedSentence]:
    """The shipped corpus, where it was coded with this codebook; else the codebook's own examples."""
    from nlp.codebook import load_codebook
    from nlp.corpus import CodedSentence
    from nlp.train import teaching

    shipped = codebook.digest == load_codebook().digest
    if request.corpus and not shipped:
        raise ConfigError("--corpus: the shipped corpus is coded with another codebook", hint="leave --corpus out")
    if shipped:
        return [] if request.corpus is False else list(teaching())
    group = "codebook"
    return [
        CodedSentence(f"{group}:{code.code}:{n}", group, "comment", None, text, code.code, code.label, group)
        for code in codebook.codes
        for n, text in enumerate(code.examples)
    ]


def _mix(values: Sequence[str], codebook: Codebook) -> dict[str, float] | None:
    """``LABEL=SHARE`` each, for every label; shares are brought to a sum of 1."""
    from nlp.codebook import load_codebook
    from nlp.train import NATURAL_MIX

    if not values:
        return dict(NATURAL_MIX) if codebook.digest == load_codebook().digest else None
    found: dict[str, float] = {}
    for value in values:
        label, _, number = value.rpartition("=")
        try:
            found[label] = float(number)
        except ValueError as error:
            raise UsageError(f"--mix {value}: not LABEL=SHARE") from error
    if set(found) != set(codebook.order) or min(found.values()) <= 0:
        raise UsageError("--mix: give a share above 0 for each label", hint="labels: " + ", ".join(codebook.order))
    return {label: share / sum(found.values()) for label, share in found.items()}

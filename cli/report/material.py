"""What the chapters are written from: the archive counted, the classifier, its labels there and how it errs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.report.census import Census
from store.records import ConfigError, ModelUnavailable, NothingFound

if TYPE_CHECKING:
    from cli.jobs.estimate import Errors
    from cli.report.calls import Calls
    from nlp.classify import Classifier
    from nlp.codebook import Codebook
    from store.archive import Archive

#: Divisions to show, in the order of the page; the chosen one comes first.
BY = ("thread", "site", "year", "author")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """``out`` is a file or ``-``; ``gold`` a file of coded sentences, ``decided_by`` the coder whose word is the last one there;
    ``classifier`` a directory (``None``: the configured), ``costs`` as in ``Classifier.load``."""

    out: str = "report.html"
    gold: str | None = None
    title: str | None = None
    by: str = "thread"
    classifier: Path | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    decided_by: str | None = None


class Material:
    """Everything is counted once, when it is first asked for. Raises ``NothingFound`` if the archive holds no thread."""

    def __init__(self, path: Path, request: ReportRequest) -> None:
        from store.archive import Archive

        self.path, self.request = path, request
        self.archive: Archive = Archive.open(path)
        self.census = Census(self.archive)
        if not self.census.threads.count:
            raise NothingFound(f"{path}: holds no thread", hint="chorus harvest URL")
        self.no_classifier: str | None = None
        self.classifier = self._classifier()
        self.evaluation = self._evaluation()

    def _classifier(self) -> Classifier | None:
        """The classifier; ``None`` if it is not there and nobody asked for a certain one."""
        from cli.jobs.model import load_classifier

        try:
            return load_classifier(self.request.classifier, self.request.costs)
        except ModelUnavailable as error:
            if self.request.classifier is not None or self.request.gold is not None:
                raise
            self.no_classifier = str(error)
            return None

    def _evaluation(self) -> dict[str, Any] | None:
        from cli.jobs.evaluate import GoldRequest, evaluate_file

        if self.request.gold is None:
            return None
        given = self.request
        return evaluate_file(
            GoldRequest(
                path=self.request.gold,
                model=given.classifier,
                costs=given.costs,
                archive=self.path,
                decided_by=given.decided_by,
            )
        )

    @cached_property
    def codebook(self) -> Codebook:
        """The codebook that the classifier reads."""
        from cli.jobs.model import classifier_path
        from nlp.classify import codebook_of

        return codebook_of(classifier_path(self.request.classifier))

    @cached_property
    def calls(self) -> Calls | None:
        """The classifier's labels in the archive; ``None`` without any."""
        from cli.report.calls import Calls

        if self.classifier is None:
            return None
        found = Calls(self.census, self.classifier.labels, self.classifier.name, self.classifier.codebook)
        return found if len(found) else None

    @property
    def no_labels(self) -> str:
        """Why there are no labels to show."""
        if self.no_classifier is not None:
            return f"No labels can be shown: {self.no_classifier}"
        others = self.census.corpus.tables.count("labels", "unit = 'sentence'")
        return "No sentence is labelled by this model" + (
            f" (other models left {others} labels; --classifier DIR shows theirs): chorus classify"
            if others
            else ": chorus classify"
        )

    @cached_property
    def errors(self) -> Errors | None:
        """How the classifier errs, and where that is known from: the coded file, else its own; ``None`` if there is none."""
        from cli.jobs.estimate import errors_on, own_errors

        if self.evaluation is not None and self.request.gold is not None:
            return errors_on(self.evaluation, self.request.gold)
        try:
            return own_errors(self.classifier) if self.classifier is not None else None
        except ConfigError:
            return None

    def estimates(self, division: str, names: list[str]) -> list[dict[str, Any]]:
        """Rows as ``chorus estimate`` gives them, for the groups in ``names``. Needs labels and a confusion."""
        from cli.jobs.estimate import estimate_rows

        if self.calls is None or self.errors is None:
            return []
        counts = self.calls.counts(division, names)
        return estimate_rows(division, counts, self.calls.labels, self.errors)

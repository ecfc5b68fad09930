"""The classifier that a command works with: which one, on which encoder, behind the cache of embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.config import resolve
from store.records import UsageError

if TYPE_CHECKING:
    from nlp.cache import CachedEncoder
    from nlp.classify import Classifier
    from nlp.codebook import Codebook


def classifier_path(flag: Path | None = None) -> Path | None:
    """The classifier's directory: the flag, else what the settings say; ``None`` for the shipped one."""
    value = resolve("classifier", str(flag) if flag is not None else None).value
    return Path(value).expanduser() if value else None


@contextmanager
def open_classifier(
    folder: Path | None = None, *, keep: bool = True, costs: Mapping[str, float] | None = None, engine: str = "local"
) -> Iterator[tuple[Classifier, CachedEncoder]]:
    """The classifier in ``folder`` (default: the configured one) and its encoder; ``keep`` keeps embeddings and
    judgements on disk. With ``engine`` ``ray`` it looks at sentences on a cluster, and only judgements are kept.

    Raises ``ModelUnavailable`` if there is none, or not the encoder that it was trained on, ``ConfigError`` without a cluster.
    """
    from nlp.cache import cached_encoder
    from nlp.classify import Classifier, encoder_of

    place, model = classifier_path(folder), resolve("model").value
    with cached_encoder(encoder_of(place, model), keep=keep) as encoder:
        classifier = Classifier.load(place, encoder, costs, encoder.store)
        if engine == "local":
            yield classifier, encoder
            return
        from nlp.cluster import ray_looks

        with ray_looks(classifier.look_space, place, model) as looks:
            classifier.look_elsewhere = looks
            yield classifier, encoder


def load_classifier(folder: Path | None = None, costs: Mapping[str, float] | None = None) -> Classifier:
    """The classifier in ``folder`` (default: the configured one), for a few texts: nothing is cached."""
    with open_classifier(folder, keep=False, costs=costs) as (classifier, _):
        return classifier


def codebook_in_use(path: Path | None = None) -> Codebook:
    """The codebook at ``path``, else the configured classifier's, else the shipped one. Raises ``ConfigError``."""
    from nlp.classify import codebook_of
    from nlp.codebook import load_codebook

    return load_codebook(path) if path is not None else codebook_of(classifier_path())


def parse_costs(values: list[str] | None) -> dict[str, float] | None:
    """``LABEL=N`` or ``TRUTH:LABEL=N`` each. Raises ``UsageError`` for anything else, or an N that is not above 0."""
    costs: dict[str, float] = {}
    for value in values or ():
        label, _, number = value.rpartition("=")
        try:
            costs[label] = float(number)
        except ValueError:
            costs[label] = 0.0
        if not label or not 0 < costs[label] < 1e6:
            raise UsageError(
                f"--cost {value}: not LABEL=N or TRUTH:LABEL=N with N above 0",
                hint="--cost self-promotion=3, or --cost meta-talk:self-promotion=2",
            )
    return costs or None

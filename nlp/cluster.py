"""Looking at sentences on a Ray cluster: one worker a core, each with the classifier loaded once.

Only looking is spread (``nlp.look.Look``: encoder, cues, heads), which is nearly all of the work and depends on nothing but the
sentence; pages are judged, and rows written, where the run was started. So the labels are those of a run on one machine. Every
machine of the cluster needs the same chorus and, for a classifier of one's own, its directory under the same path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nlp.look import Key, Look
from store.records import ConfigError

__all__ = ["RayLooks"]

#: Sentences sent to a worker at a time: many enough for batches of like length, few enough to keep all workers busy.
PART = 128

#: The address of a running cluster; without it Ray starts one on this machine.
ADDRESS = "RAY_ADDRESS"


class RayLooks:
    """Looks by workers of the cluster that ``RAY_ADDRESS`` names, else of this machine's cores.

    ``folder`` and ``model`` are the classifier's directory and the configured encoder, as in ``nlp.classify.encoder_of``. Raises
    ``ConfigError`` without Ray or cluster, or if a worker has another classifier than ``name``.
    """

    def __init__(self, name: str, folder: Path | None, model: str | None) -> None:
        ray = _ray()
        from ray.util import ActorPool

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report home otherwise
        self._ray, self._started = ray, not ray.is_initialized()
        if self._started:
            try:
                ray.init(
                    address=os.environ.get(ADDRESS), include_dashboard=False, log_to_driver=False, logging_level="ERROR"
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                told = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise ConfigError(f"--engine ray: no cluster ({told})", hint=f"see {ADDRESS}, `ray status`") from error
        # a worker for each core, each of which encodes on one
        worker = ray.remote(num_cpus=1, runtime_env={"env_vars": {"CHORUS_CORES": "1"}})(_Worker)
        count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self.workers = [worker.remote(str(folder) if folder is not None else None, model) for _ in range(count)]
        self._pool = ActorPool(self.workers)
        self._check(name)

    def _check(self, name: str) -> None:
        for other in self._ray.get([worker.name.remote() for worker in self.workers]):
            if other != name:
                raise ConfigError(
                    f"--engine ray: a worker has the classifier {other}, here it is {name}",
                    hint="the same chorus and classifier on every machine",
                )

    def __call__(self, keys: Sequence[Key]) -> list[Look]:
        """One look for each key, in order."""
        parts = [list(keys[start : start + PART]) for start in range(0, len(keys), PART)]
        found = self._pool.map(lambda worker, part: worker.look.remote(part), parts)
        return [look for part in found for look in part]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers:
            self._ray.kill(worker)
        if self._started:
            self._ray.shutdown()


class _Worker:
    """What runs on the cluster."""

    def __init__(self, folder: str | None, model: str | None) -> None:
        from nlp.classify import Classifier, encoder_of

        place = Path(folder) if folder is not None else None
        self._classifier = Classifier.load(place, encoder_of(place, model))

    def name(self) -> str:
        """The classifier's, without costs: looks do not depend on them."""
        return self._classifier.look_space

    def look(self, keys: Sequence[Key]) -> list[Look]:
        return self._classifier.look(keys)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "--engine ray: Ray is not installed", hint="pip install 'chorus[ray]', or --engine local"
        ) from error
    return ray

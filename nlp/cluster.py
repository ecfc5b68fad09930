"""Looking at sentences on a Ray cluster: one worker a core, each with the classifier loaded once.

Only looking is spread (``nlp.look.Look``: encoder, cues, heads), which is nearly all of the work and depends on nothing but the
sentence; pages are judged, and rows written, where the run was started. So the labels are those of a run on one machine. Every
machine of the cluster needs the same chorus and, for a classifier of one's own, its directory under the same path.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from nlp.look import Key, Look
from store.records import ConfigError

__all__ = ["ray_looks"]

#: Sentences sent to a worker at a time: many enough for batches of like length, few enough to keep all workers busy.
PART = 128

#: The address of a running cluster; without it Ray starts one on this machine.
ADDRESS = "RAY_ADDRESS"

#: Seconds in which someone must answer there.
ANSWER_SECONDS = 5.0


@contextmanager
def ray_looks(space: str, folder: Path | None, model: str | None) -> Iterator[Callable[[Sequence[Key]], list[Look]]]:
    """What looks at sentences, in order, on the cluster that ``RAY_ADDRESS`` names, else on this machine's cores.

    ``space`` is the classifier's ``look_space``; ``folder`` and ``model`` are its directory and the configured encoder, as in
    ``nlp.classify.encoder_of``. Raises ``ConfigError`` without Ray or cluster, if a worker has another classifier, or fails.
    """
    ray = _ray()
    from ray.util import ActorPool

    started, workers = _connect(ray), []
    # a worker for each core, each of which encodes on one
    kind = ray.remote(num_cpus=1, runtime_env={"env_vars": {"CHORUS_CORES": "1"}})(_Worker)
    try:
        count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        workers = [kind.remote(folder, model) for _ in range(count)]
        _check(space, ray.get([worker.space.remote() for worker in workers]))
        pool = ActorPool(workers)

        def look(keys: Sequence[Key]) -> list[Look]:
            parts = [list(keys[start : start + PART]) for start in range(0, len(keys), PART)]
            return list(chain.from_iterable(pool.map(lambda worker, part: worker.look.remote(part), parts)))

        yield look
    except ray.exceptions.RayError as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ConfigError(f"--engine ray: a worker failed ({told})", hint="--engine local, on this machine") from error
    finally:
        for worker in workers:
            ray.kill(worker)
        if started:
            ray.shutdown()


def _connect(ray: Any) -> bool:
    """Whether the connection is ours to end. Raises ``ConfigError`` where there is no cluster."""
    if ray.is_initialized():
        return False
    check_address(os.environ.get(ADDRESS, ""))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report home otherwise
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address=os.environ.get(ADDRESS), **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"--engine ray: no cluster ({told})", hint=f"see {ADDRESS}, `ray status`") from error
    return True


def check_address(address: str) -> None:
    """Raise ``ConfigError`` if nobody answers at ``HOST:PORT``, with or without ``ray://``: Ray itself tries for minutes."""
    host, colon, port = address.rsplit("://", 1)[-1].rpartition(":")
    if not (colon and port.isdigit()):
        return  # "auto", "local", or nothing: Ray knows where to look
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"--engine ray: no cluster at {address} ({error})", hint=f"see {ADDRESS}, `ray status`"
        ) from error


def _check(space: str, others: Sequence[str]) -> None:
    for other in others:
        if other != space:
            raise ConfigError(
                f"--engine ray: a worker has the classifier {other}, here it is {space}",
                hint="the same chorus and classifier on every machine",
            )


class _Worker:
    """What runs on the cluster."""

    def __init__(self, folder: Path | None, model: str | None) -> None:
        from nlp.classify import Classifier, encoder_of

        self._classifier = Classifier.load(folder, encoder_of(folder, model))

    def space(self) -> str:
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

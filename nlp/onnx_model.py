"""A BERT-like encoder run by onnxruntime: word pieces in, mean-pooled vectors out. Never imports torch.

The ONNX file is made once by ``nlp.export`` in a process of its own and kept in the user's cache directory, next to
a note of its digest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from nlp.weights import ModelFiles, file_digest
from store.records import ModelUnavailable

if TYPE_CHECKING:
    import onnxruntime

#: What a model is opened for: many texts (all cores, a batch each); one query (starts in 10 ms of CPU instead of 50, and takes
#: 7 ms for a short text instead of 3); or queries one after the other (one core: two would wait for each other).
Use = Literal["bulk", "query", "queries"]

T = TypeVar("T")
R = TypeVar("R")

__all__ = ["OnnxModel", "Use", "arrays_of", "cache_root", "cached_onnx", "clean_text", "token_batches"]

#: Tokens (with padding) run at once by one core, so that what a layer makes stays in the core's own cache. Measured on two cores:
#: a twentieth faster than 512, which was a tenth faster than 1,024, and the process grows by 25 MB less.
TOKEN_BUDGET = 256

#: Batches that wait for each core, so that none stands idle and few results wait in memory.
AHEAD = 2

#: The exporter's format; part of the cache's name, so that a new graph never meets an old file.
GRAPH_VERSION = 3

#: The compact form's: raised when its vectors change. Part of the encoder's fingerprint.
COMPACT_VERSION = 4

#: Its graph's, which may become faster with the same vectors. Both are part of its place.
COMPACT_GRAPH = 2

#: A tokenizer reads a whole text before it cuts it to 256 pieces; nobody's 256 word pieces fill this many characters.
MAX_CHARACTERS = 16_000


def clean_text(text: str) -> str:
    """The text as a tokenizer can take it: cut to a safe length, lone surrogates replaced, nulls dropped."""
    cut = text[:MAX_CHARACTERS]
    return cut.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", " ").strip()


def token_batches(lengths: Sequence[int], budget: int = TOKEN_BUDGET) -> Iterator[NDArray[np.int64]]:
    """Indices grouped so that inputs of like length run together and no batch exceeds ``budget`` padded tokens."""
    order = np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop - start + 1) * lengths[order[stop]] > budget:
            yield order[start:stop]
            start = stop


def cached_onnx(files: ModelFiles, *, compact: bool = False) -> Path:
    """The ONNX file of the weights: the one they bring, or one made on first use; that of ``nlp.compact`` if it is asked for.

    Raises ``ModelUnavailable`` if it cannot be made.
    """
    if files.graph is not None:
        return files.graph
    folder = cache_root() / "models" / f"{files.digest[:32]}-v{GRAPH_VERSION}"
    path = folder / "model.onnx"
    if not compact:
        return _made(path, files, "nlp.export", files.path)
    small = folder / f"compact-v{COMPACT_VERSION}.{COMPACT_GRAPH}" / path.name
    return small if _intact(small) else _made(small, files, "nlp.compact", cached_onnx(files))


def _made(path: Path, files: ModelFiles, maker: str, source: Path) -> Path:
    if not _intact(path):
        _make(path, files, maker, source)
    return path


def cache_root() -> Path:
    """Where chorus keeps what it can make again."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("chorus", appauthor=False))


def _intact(path: Path) -> bool:
    """Whether the file is the one that was written. Its digest was taken then; here its size must agree (0.1 s saved)."""
    try:
        return bool(path.stat().st_size == json.loads(_note(path).read_text(encoding="utf-8"))["bytes"])
    except (OSError, ValueError, KeyError):
        return False


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _make(path: Path, files: ModelFiles, maker: str, source: Path) -> None:
    """Have the module ``maker`` write ``path`` from ``source``, and note its digest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
            fresh = Path(folder) / path.name
            _run_maker(maker, [str(source), str(fresh)])
            record = {"sha256": file_digest(fresh), "bytes": fresh.stat().st_size, "weights": files.weights_digest}
            _note(fresh).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            fresh.replace(path)
            _note(fresh).replace(_note(path))
    except OSError as error:
        hint = "free some disk space, or set XDG_CACHE_HOME to a directory that can be written"
        raise ModelUnavailable(f"{path}: the model cannot be written ({error.strerror or error})", hint=hint) from error


def _run_maker(maker: str, arguments: list[str]) -> None:
    command = [sys.executable, "-m", maker, *arguments]
    root = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603  # our own module
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelUnavailable(f"the model cannot be made ready: {last}", hint="pip install torch transformers")


class OnnxModel:
    """One session and the tokenizer that goes with it."""

    def __init__(self, files: ModelFiles, use: Use = "bulk", *, compact: bool = False) -> None:
        self.files = files
        self._use = use
        self._path, self._as_it_is = cached_onnx(files, compact=compact), compact or files.graph is not None

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, without padding or truncation of its own."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.files.path / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = _options()
        ready = _optimised(self._path, _place_of(self.files) or self._path.parent, rewrite=not self._as_it_is)
        if ready is not None:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            if self._use == "query":
                options.add_session_config_entry("session.disable_prepacking", "1")
        elif self._as_it_is:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if ready is None and self.files.graph is not None:
            _check(self.files)
        return _open_session(ready or self._path, options)

    def pooled(self, inputs: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Mean-pooled last layer of lists of word-piece ids: shape (inputs, dimensions), in their order, not normalised."""
        out = np.zeros((len(inputs), self.files.dimensions), dtype=np.float32)
        for batch, _, (pooled,) in self._run(inputs, ["pooled"]):
            out[batch] = pooled
        return out

    def states(
        self, inputs: Sequence[Sequence[int]]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]]:
        """By batches: which inputs, their pooled vectors, the middle layer's states (inputs, tokens, width), and their mask."""
        for batch, mask, (pooled, middle) in self._run(inputs, ["pooled", "middle"]):
            yield batch, pooled, middle, mask

    def _run(
        self, inputs: Sequence[Sequence[int]], outputs: list[str]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], list[NDArray[np.float32]]]]:
        """By batches: which inputs, their mask, and what the graph gives for them."""
        session = self._session

        def run(batch: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], list[NDArray[np.float32]]]:
            arrays = arrays_of([inputs[i] for i in batch])
            return batch, arrays["attention_mask"], session.run(outputs, arrays)

        batches = token_batches([len(ids) for ids in inputs])
        return _at_once(run, batches, _usable_cores() if self._use == "bulk" else 1)


def _at_once(work: Callable[[T], R], parts: Iterable[T], workers: int) -> Iterator[R]:
    """What ``work`` gives for each part, in order, with so many of them in work at once.

    A batch a core: half the processor time of all cores on one batch, where they wait for each other at every layer.
    """
    if workers == 1:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque()
        for part in parts:
            waiting.append(pool.submit(work, part))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _options() -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # its plans for every shape of a batch cost 13 MB and save no time
    return options


def _open_session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError) as error:
        hint = f"delete {path.parent} and try again"
        raise ModelUnavailable(f"{path}: cannot be loaded ({error})", hint=hint) from error


def _place_of(files: ModelFiles) -> Path | None:
    """Where what is made of a graph that the weights bring is kept; the graph is held against its digest when that is made."""
    if files.graph is None:
        return None
    folder = cache_root() / "models" / f"{files.digest[:32]}-ready"
    if not _folder_of_version(folder).exists():
        _check(files)
    return folder


def _folder_of_version(place: Path) -> Path:
    """Where what this version of onnxruntime makes of a graph is kept."""
    import onnxruntime

    return place / f"onnxruntime-{onnxruntime.__version__}"


def _check(files: ModelFiles) -> None:
    """Raise ``ModelUnavailable`` unless graph and tokenizer are what the digests say."""
    expected = {files.path / "tokenizer.json": files.tokenizer_digest, files.graph: files.weights_digest}
    for path, digest in expected.items():
        if path is not None and file_digest(path) != digest:
            raise ModelUnavailable(f"{path}: not what it should be (SHA-256 differs)", hint="install chorus anew")


def _optimised(path: Path, place: Path, *, rewrite: bool) -> Path | None:
    """The graph as onnxruntime rewrites it, its weights in a file of their own that is mapped, not read: 0.2 s saved each time.

    Made in ``place`` on first use for each version of onnxruntime, whose fused operators it holds. The rewriting is the one that
    holds on any processor. Without ``rewrite`` only the weights are set apart: the compact form is as it should be. ``None``
    where it cannot be written; the plain file then does.
    """
    folder = _folder_of_version(place)
    ready, weights, note = folder / path.name, folder / "weights.bin", folder / "files.json"
    if not _agrees(note, path, ready, weights):
        try:
            _optimise(path, folder, rewrite)
        except (OSError, ModelUnavailable):
            return None
    return ready if _agrees(note, path, ready, weights) else None


def _agrees(note: Path, *files: Path) -> bool:
    """Whether the files have the sizes that were noted when they were written."""
    try:
        return bool(json.loads(note.read_text(encoding="utf-8")) == [file.stat().st_size for file in files])
    except (OSError, ValueError):
        return False


def _optimise(path: Path, folder: Path, rewrite: bool) -> None:
    import onnxruntime

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
        fresh = Path(name) / "model"
        fresh.mkdir()
        options = _options()
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if rewrite else levels.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(fresh / path.name)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
        _open_session(path, options)
        sizes = [file.stat().st_size for file in (path, fresh / path.name, fresh / "weights.bin")]
        (fresh / "files.json").write_text(json.dumps(sizes), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)


def arrays_of(rows: list[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    """What the graph takes, for lists of word-piece ids: padded to the longest, each of shape (rows, tokens)."""
    ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for n, row in enumerate(rows):
        ids[n, : len(row)] = row
        mask[n, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _usable_cores() -> int:
    """Cores that this process may use: ``CHORUS_CORES``, else a container's share, where the system says it."""
    given = os.environ.get("CHORUS_CORES", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

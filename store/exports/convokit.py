"""A corpus directory for ConvoKit: utterances, speakers, conversations and index, as its versions 2 to 5 read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from store.exports.material import Material, json_line, probabilities
from store.records import Entry, ThreadDocument

#: The speaker of what nobody signed: ConvoKit wants one. The utterance's meta says ``author: null``.
NOBODY = "[unknown]"

FORMAT = 1


def convokit(material: Material, folder: Path) -> int:
    """Write the corpus; returns how many utterances it has."""
    speakers: dict[str, dict[str, Any]] = {}
    conversations: dict[str, dict[str, Any]] = {}
    types: dict[str, set[str]] = {}
    count = 0
    with (folder / "utterances.jsonl").open("wb") as out:
        for document in material.documents():
            called = {revision: row for (revision, _), row in material.called(document, "entry").items()}
            sentences = material.sentence_counts(document)
            root = document.post.revision_id if document.post else f"thread-{document.thread.thread_id}"
            conversations[root] = {"meta": _conversation(document), "vectors": []}
            ids = {entry.entry_id: entry.revision_id for entry in document.entries}
            top = document.post.revision_id if document.post else None
            for entry in document.entries:
                row = _utterance(
                    entry,
                    root,
                    ids.get(entry.parent_id or "", top),
                    called.get(entry.revision_id),
                    sentences.get(entry.revision_id, {}),
                )
                _note_types(types, row["meta"])
                speaker = speakers.setdefault(row["speaker"], {"meta": {"entries": 0}, "vectors": []})
                speaker["meta"]["entries"] += 1
                out.write(json_line(row))
                count += 1
    of_conversations: dict[str, set[str]] = {}
    for one in conversations.values():
        _note_types(of_conversations, one["meta"])
    whole = {"source": "chorus", "chorus_version": material.version}
    index: dict[str, Any] = {
        "utterances-index": {name: sorted(found) for name, found in sorted(types.items())},
        "speakers-index": {"entries": ["<class 'int'>"]},
        "conversations-index": {name: sorted(found) for name, found in sorted(of_conversations.items())},
        "overall-index": {name: ["<class 'str'>"] for name in whole},
    }
    _write(folder / "speakers.json", dict(sorted(speakers.items())))
    _write(folder / "conversations.json", conversations)
    _write(folder / "corpus.json", whole)
    _write(folder / "index.json", {**index, "version": FORMAT, "vectors": []})
    return count


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")


def _conversation(document: ThreadDocument) -> dict[str, Any]:
    thread = document.thread
    names = ("url", "title", "site", "platform", "completeness", "announced_count", "captured_at")
    return {name: getattr(thread, name) for name in names}


def _utterance(
    entry: Entry, root: str, answers: str | None, called: Mapping[str, Any] | None, sentences: Mapping[str, int]
) -> dict[str, Any]:
    """``answers`` is the utterance that a comment answers, if there is one. ``label`` is that of the whole entry (``classify
    --unit entry``), ``sentence_labels`` how many sentences bear each."""
    names = (
        "entry_id",
        "kind",
        "depth",
        "state",
        "url",
        "is_post_author",
        "published",
        "published_precision",
        "edited",
    )
    meta = {name: getattr(entry, name) for name in names}
    meta |= {"author": entry.author, "parent_source": entry.parent_source}
    meta |= {"label": None, "probabilities": None, "model": None, "codebook": None}
    if called is not None:
        meta |= {name: called[name] for name in ("label", "model", "codebook")}
        meta["probabilities"] = probabilities(called)
    meta["sentence_labels"] = dict(sorted(sentences.items())) or None
    return {
        "id": entry.revision_id,
        "conversation_id": root,
        "text": entry.text,
        "speaker": entry.author or NOBODY,
        "meta": meta,
        "reply-to": None if entry.kind == "post" else answers,
        "timestamp": _timestamp(entry.published),
        "vectors": [],
    }


def _timestamp(published: str | None) -> int | None:
    """Seconds since 1970; ``None`` where the page gives no time, or one without its offset: that is no moment yet."""
    try:
        moment = datetime.fromisoformat(published) if published else None
    except ValueError:
        return None
    return int(moment.timestamp()) if moment is not None and moment.tzinfo is not None else None


def _note_types(types: dict[str, set[str]], meta: Mapping[str, Any]) -> None:
    for name, value in meta.items():
        types.setdefault(name, set())
        if value is not None:
            types[name].add(str(type(value)))

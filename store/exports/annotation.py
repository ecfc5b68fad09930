"""Units for annotation tools: Label Studio, doccano, Prodigy.

What a machine said goes where the tool keeps predictions, or into a unit's meta data; only people's codings stand as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any
from xml.sax.saxutils import quoteattr

from store.annotations import Coding
from store.exports.material import Material, Unit, json_line, probabilities

#: What the parts of Label Studio's configuration are called; tasks refer to them.
CHOICE, TEXT = "act", "text"


def label_studio(material: Material, out: IO[bytes]) -> int:
    """A list of tasks, with predictions and annotations; ``label_studio_config`` makes the interface for them."""
    count = 0
    out.write(b"[")
    for count, unit in enumerate(material.units(), 1):
        data = {TEXT: unit.text, "context": unit.context or "", **unit.about}
        task = {
            "data": data,
            "predictions": [_prediction(unit.called)] if unit.called else [],
            "annotations": [_annotation(material, coding) for coding in unit.coded],
        }
        out.write((b"," if count > 1 else b"\n") + json_line(task))
    out.write(b"]\n")
    return count


def label_studio_config(material: Material) -> str:
    """The labelling interface: the context in grey, the text, one choice of the codebook's labels."""
    choices = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in material.labels)
    return f"""<View>
  <Text name="context" value="$context" granularity="word"/>
  <Header value="The sentence to code"/>
  <Text name="{TEXT}" value="${TEXT}"/>
  <Choices name="{CHOICE}" toName="{TEXT}" choice="single" required="true" showInLine="true">
{choices}
  </Choices>
</View>
"""


def _prediction(called: Mapping[str, Any]) -> dict[str, Any]:
    score = probabilities(called).get(called["label"])
    return {"model_version": called["model"], "score": score, "result": [_chosen(called["label"])]}


def _annotation(material: Material, coding: Coding) -> dict[str, Any]:
    said = ", ".join(str(part) for part in (material.coder(coding), coding.get("code"), coding.get("note")) if part)
    return {"result": [{**_chosen(coding["label"]), **({"meta": {"text": [said]}} if said else {})}]}


def _chosen(label: str) -> dict[str, Any]:
    return {"from_name": CHOICE, "to_name": TEXT, "type": "choices", "value": {"choices": [label]}}


def doccano(material: Material, out: IO[bytes]) -> int:
    """JSON lines for text classification: ``label`` lists what people said; the machine's is meta data."""
    count = 0
    for count, unit in enumerate(material.units(), 1):  # noqa: B007
        labels = sorted({coding["label"] for coding in unit.coded})
        row = {TEXT: unit.text, "label": labels, "context": unit.context, **unit.about, **_machine(unit)}
        out.write(json_line(row))
    return count


def prodigy(material: Material, out: IO[bytes]) -> int:
    """JSON lines for ``choice``: accepted is what people said, one line for each of them; the machine's is meta data."""
    options = [{"id": label, "text": label} for label in material.labels]
    count = 0
    for count, unit in enumerate(material.units(), 1):  # noqa: B007
        meta = {"context": unit.context, **unit.about, **_machine(unit)}
        task: dict[str, Any] = {TEXT: unit.text, "options": options, "meta": meta}
        lines = [
            task | {"accept": [coding["label"]], "answer": "accept", "_annotator_id": material.coder(coding)}
            for coding in unit.coded
        ]
        for line in lines or [task]:
            out.write(json_line(line))
    return count


def _machine(unit: Unit) -> dict[str, Any]:
    if unit.called is None:
        return {"machine_label": None, "machine_probability": None, "model": None}
    score = probabilities(unit.called).get(unit.called["label"])
    return {"machine_label": unit.called["label"], "machine_probability": score, "model": unit.called["model"]}

"""The shipped classifier on threads of ours that it has not learned from (``nlp/corpus/unseen``): pages judged as pages.

    python -m benchmarks.classify_unseen

They were written by the writer of corpus z, after it: what they show is where the classifier fails (boasts in passing), and what
judging a page as a whole brings to threads that are nearly all meta-talk; not how it does on real pages.
"""

from __future__ import annotations

from collections import defaultdict

from nlp.classify import Classifier, Item
from nlp.corpus import CORPUS, CodedSentence, load_corpus

#: A thread counts as talk about attention if more of its sentences than this are meta-talk.
MOSTLY = 0.55


def main() -> int:
    """Print accuracy by kind of thread, with and without the page, and recall by second-level code."""
    sentences = load_corpus(CORPUS / "unseen")
    classifier = Classifier.load()
    with_page, alone = _right(classifier, sentences, pages=True), _right(classifier, sentences, pages=False)
    shares: dict[str, list[bool]] = defaultdict(list)
    for one in sentences:
        shares[one.thread].append(one.label == "meta-talk")
    about = {thread for thread, found in shares.items() if sum(found) > MOSTLY * len(found)}
    print(f"{len(sentences)} sentences, {len(shares)} threads")
    for name, chosen in (("nearly all meta-talk", about), ("the others", set(shares) - about)):
        rows = [n for n, one in enumerate(sentences) if one.thread in chosen]
        page, single = (sum(found[n] for n in rows) / len(rows) for found in (with_page, alone))
        print(
            f"{name}: {len(chosen)} threads, {len(rows)} sentences, accuracy {page:.3f} (each sentence alone {single:.3f})"
        )
    by_code: dict[str, list[bool]] = defaultdict(list)
    for one, right in zip(sentences, with_page, strict=True):
        by_code[one.code].append(right)
    print("recall: " + ", ".join(f"{c} {sum(r) / len(r):.2f} of {len(r)}" for c, r in sorted(by_code.items())))
    return 0


def _right(classifier: Classifier, sentences: tuple[CodedSentence, ...], *, pages: bool) -> list[bool]:
    items = (Item(s.id, s.text, s.context, s.role, s.thread if pages else None) for s in sentences)
    return [found.label == one.label for found, one in zip(classifier.classify(items), sentences, strict=True)]


if __name__ == "__main__":
    raise SystemExit(main())

"""Which reader speaks for a page: a platform's rules, the flat runs, or the generic one."""

from __future__ import annotations

from harvest.extract import flat, generic
from harvest.extract.items import Element, Items
from harvest.extract.select import select, tokens
from harvest.extract.text import one_line
from harvest.platforms import platforms
from harvest.platforms.rules import Rules


def find_items(root: Element) -> Items | None:
    """The page's comments, or ``None``. Flat runs are wrapped in place."""
    known = [items for rules in platforms() if (items := _by_rules(root, rules))]
    best = max(known, key=lambda items: len(items.elements), default=None)
    made = [one for one in flat.wrap(root) if not generic.in_aside(one)]
    # a named list whose entries lie in the runs is the same list, seen in part
    if made and (best is None or len(made) >= 0.9 * len(best.elements)):
        return Items(tuple(made), best.rules if best else None)
    other = generic.find_items(root)
    if best is None:
        return _by_rows(root, other) or other
    # the generic reader overrules named markup only where that is a fragment of what it sees
    if (
        other
        and (not best.forum or len(best.elements) == 1)
        and len(other.elements) > len(best.elements)
        and _covered(best, other)
    ):
        return Items(other.elements, best.rules)
    return best


def _by_rows(root: Element, other: Items | None) -> Items | None:
    """Posts in pairs of table rows, where nothing else was found, or only parts of such rows."""
    found = [one for one in flat.wrap_rows(root) if not generic.in_aside(one)]
    if not found or (other and len(other.elements) > 1.5 * len(found)):
        return None
    rows = Items(tuple(found), forum=True)
    return rows if other is None or _covered(other, rows) else None


def _covered(best: Items, other: Items) -> bool:
    """Whether nearly all of one list's items are, hold or lie in items of the other."""
    known = set(other.elements)
    near = sum(
        one in known
        or any(up in known for up in one.iterancestors())
        or any(node in known for node in one.iterdescendants())
        for one in best.elements
    )
    return near >= 0.9 * len(best.elements)


def _by_rules(root: Element, rules: Rules) -> Items | None:
    if rules.signs and not any(select(root, sign) for sign in rules.signs):
        return None
    best: list[Element] = []
    for selector in rules.items:
        found = [one for one in select(root, selector) if not generic.in_aside(one) and _speaks(one)]
        if len(found) > max(len(best), 2 * len(best) if best else 0):
            best = found
    return Items(tuple(best), rules, forum=rules.forum) if best else None


def _speaks(element: Element) -> bool:
    """Not an empty stub, a form or a list of other comments' links."""
    return "respond" not in tokens(element).split() and len(one_line(element)) > 3

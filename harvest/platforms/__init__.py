"""The comment systems that chorus knows by name: one small file each, rules as data.

Third parties add their own through the entry-point group ``chorus.platforms``: each entry point names a ``Rules`` or a
tuple of them. Theirs come first, so that they can overrule a built-in.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from harvest.platforms import blogger, disqus, drupal, forums, isso, others, typepad, wordpress
from harvest.platforms.rules import Rules
from store.records import ConfigError

__all__ = ["GROUP", "Rules", "platforms"]

GROUP = "chorus.platforms"
_BUILT_IN = (disqus, blogger, typepad, drupal, wordpress, forums, isso, others)


@cache
def platforms() -> tuple[Rules, ...]:
    """All rules in the order in which they are tried. Raises ``ConfigError`` for a plug-in that yields none."""
    return (*_plugins(), *(rules for module in _BUILT_IN for rules in module.RULES))


def _plugins() -> list[Rules]:
    found: list[Rules] = []
    for point in entry_points(group=GROUP):
        loaded = point.load()
        rules = loaded if isinstance(loaded, tuple) else (loaded,)
        if not all(isinstance(one, Rules) for one in rules):
            raise ConfigError(f"{point.value} in the entry-point group {GROUP} is no harvest.platforms.Rules")
        found.extend(rules)
    return found

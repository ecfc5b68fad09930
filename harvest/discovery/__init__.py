"""From one address to a blog's posts, and only its posts: feeds, sitemaps, index pages. See ``harvest.discovery.walk``."""

from harvest.discovery.scope import Scope
from harvest.discovery.walk import Discovery, Found, Skipped, discover

__all__ = ["Discovery", "Found", "Scope", "Skipped", "discover"]

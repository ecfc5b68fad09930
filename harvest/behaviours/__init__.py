"""What chorus does on a page before keeping it: scroll, open what is folded in the comments, decline cookie banners."""

from harvest.behaviours.run import Budget, Done, behave, hide_banners

__all__ = ["Budget", "Done", "behave", "hide_banners"]

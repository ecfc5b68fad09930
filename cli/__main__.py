"""``python -m cli`` is ``chorus``."""

from cli.main import run

run()

"""The report's parts: counting over an archive (``census``, ``calls``, ``replies``), plots as numbers, and the page itself."""

"""The jobs behind the commands, as functions a notebook can call too. They join ``harvest``, ``nlp`` and ``store``."""

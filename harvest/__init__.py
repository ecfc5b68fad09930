"""Capturing pages through a real browser (``browser``, ``recorder``, ``visit``, ``session``) and reading threads from them
(``extract``, ``platforms``). Of the project it knows ``store.records`` only."""

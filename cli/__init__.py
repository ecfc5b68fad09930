"""The ``chorus`` command line.

``cli.jobs`` holds the whole jobs as plain functions; ``cli.commands`` only reads options and prints.
"""

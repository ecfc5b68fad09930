"""One file a command: options in, one call of ``cli.jobs``, output. Nothing heavy is imported at the top."""

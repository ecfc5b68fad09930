"""How well search finds: questions with judgements over the project's own threads (see README.md)."""

"""Records, archive directory and tables. Imports neither ``harvest`` nor ``nlp`` nor ``cli``."""

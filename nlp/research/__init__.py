"""Figures that a paper needs of coders and classifiers: agreement, held-out error, prevalence with its uncertainty."""

"""Sentences, cues, embeddings and the classifier. Of the project it knows ``store.records`` only."""

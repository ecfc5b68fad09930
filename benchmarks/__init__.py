"""Benchmarks and quality gates. They read ../shared/bench where it lies beside the checkout; nothing of it is copied."""

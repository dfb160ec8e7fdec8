"""Batch benchmark runs: a TOML file becomes a sweep, a sweep becomes cells, and each cell a line of results."""

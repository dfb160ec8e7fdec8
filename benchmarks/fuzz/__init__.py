"""Fuzz what reads files: models, data sets, output directories, benchmark configurations and results."""

"""Reports: what a model or a network consists of, in words, figures and pictures."""

"""The report of a sweep: a page, a table and plots of what `kgenn bench` left behind."""

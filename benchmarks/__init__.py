"""The benchmarks: the networks, the data and the runs."""

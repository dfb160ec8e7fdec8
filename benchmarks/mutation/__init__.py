"""Break one line of a backend at a time, and see whether the tests' claims notice."""

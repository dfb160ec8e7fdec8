"""Read, write and verify a compiled directory: manifest, checksums, self-test, credits."""

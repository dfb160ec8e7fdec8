"""What runs inside the environment of a peer: needs the standard library, NumPy and the peer alone."""

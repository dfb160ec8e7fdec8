"""What the integer C of a network takes on a Cortex-M7: code, constants, state, instructions of a timestep."""

"""The same trained network, test images and timesteps in other frameworks, each in an environment of its own."""

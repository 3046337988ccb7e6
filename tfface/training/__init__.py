"""Training runs: devices, checkpoints, and the order in which a run does its work."""

"""The control plane: the web front, the scheduler and the plays."""

"""Nodes and the plays about them: requests to register, drain and remove, and what pages show of them."""

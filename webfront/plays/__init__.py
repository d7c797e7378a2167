"""Plays: ansible-runner runs that the platform starts, their secrets, and their steps in words."""

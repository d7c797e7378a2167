"""Settings that an administrator may change while the platform runs."""

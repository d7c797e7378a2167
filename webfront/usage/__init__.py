"""The platform's use: what is asked about it, and the deeds that answer, counted."""

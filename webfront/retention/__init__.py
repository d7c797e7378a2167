"""What is kept for how long: how far its removal has come, what it freed, and what is to go from the share."""

"""Jobs: a user's wishes, their attempts, and what came of them."""

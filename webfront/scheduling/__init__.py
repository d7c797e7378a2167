"""The scheduler: the only one that places work, and the only one that applies what nodes say about it."""

"""Who may do what: users, passwords, sessions, API tokens, throttling of sign-ins."""

"""Who may enter: users, passwords, login sessions, API tokens, and the brake on guessing."""

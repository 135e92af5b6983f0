"""Tables, engine and migrations of the clinic: SQLite by default, PostgreSQL by URL."""

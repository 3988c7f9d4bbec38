"""The catalog in PostgreSQL. Returns what the domain knows, never rows."""

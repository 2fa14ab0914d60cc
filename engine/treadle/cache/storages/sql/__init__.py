"""Records of calls, and leases, in SQLite and PostgreSQL."""

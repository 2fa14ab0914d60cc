"""Where values and records are kept."""

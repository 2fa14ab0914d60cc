"""What a package says of its tasks."""

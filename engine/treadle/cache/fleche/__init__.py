"""What fleche has recorded: read, looked up, never written."""

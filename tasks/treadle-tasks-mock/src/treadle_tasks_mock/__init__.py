"""Tasks that do nothing but what a test asks for; no dependencies, any Python from 3.9."""

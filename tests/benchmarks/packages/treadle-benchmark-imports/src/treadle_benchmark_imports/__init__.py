"""A task that imports numpy and pydantic, as most task packages do, and does nothing."""

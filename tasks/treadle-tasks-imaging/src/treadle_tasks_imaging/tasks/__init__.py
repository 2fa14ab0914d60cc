"""One module per executable; its function has the module's name and documents the arguments."""

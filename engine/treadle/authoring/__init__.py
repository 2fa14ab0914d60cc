"""What flow definitions are written with: workflows as objects, collected tasks as functions."""

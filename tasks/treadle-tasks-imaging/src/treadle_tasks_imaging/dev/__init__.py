"""What `fractal-manifest` reads to write the manifest; nothing here runs in a workflow."""

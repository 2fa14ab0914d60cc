"""The flows that the engine brings: a workflow, a collection, the nightly upkeep."""

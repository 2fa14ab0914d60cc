"""Pure values: what a workflow, a dataset, a unit and a plan are. No input or output happens here."""

"""Plan to Prefect flow: one Prefect task a step, its units in batches on the cluster."""

"""What a run shows in Prefect's UI beside its graph: artifacts, each made once and then updated."""

"""Whatever a person names, made into something that can be resolved."""

"""Looking after caches: how much they keep, what can go, whether it is sound, and taking it elsewhere."""

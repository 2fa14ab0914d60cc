"""How values become bytes: serialisers, compression, signatures, and values split into shared parts."""

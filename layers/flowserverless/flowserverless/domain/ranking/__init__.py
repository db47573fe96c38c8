"""Rankings: reading results, rank keys, and who stands where."""

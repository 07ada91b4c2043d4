"""Models that others published: a table of them, and their files in the cache."""

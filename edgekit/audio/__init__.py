"""Sound sources, what streams through them, and the words that are heard."""

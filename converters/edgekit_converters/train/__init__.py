"""Train small nets for small devices."""

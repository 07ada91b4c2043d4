"""A device's own latency law: from the times of single operators and of small nets."""

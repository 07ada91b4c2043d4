"""Measurements that other tools recorded: benchmark_model and litert-benchmark."""

from edgekit.profiling.recorded.read import is_recorded, read_recorded

__all__ = ["is_recorded", "read_recorded"]

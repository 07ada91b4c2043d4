"""Measurements that other tools recorded: benchmark_model and litert-benchmark."""

from edgekit.profiling.recorded.read import SUFFIXES, read_recorded

__all__ = ["SUFFIXES", "read_recorded"]

"""Benchmarks: programs that print figures beside the raw limit of the same work, never timed tests."""

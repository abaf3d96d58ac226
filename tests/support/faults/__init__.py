"""Faults for tests on real processes: named failpoints, system calls that fail, links that misbehave."""

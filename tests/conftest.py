"""Fixtures every test may ask for."""

pytest_plugins = [
    "tests.support.postgres",
    "tests.support.api",
    "tests.support.inbox",
    "tests.support.terminal",
    "tests.support.faults.shared",
]

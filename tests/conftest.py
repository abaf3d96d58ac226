"""Fixtures every test may ask for."""

from tests.support.reach import reach_everything

reach_everything()
pytest_plugins = [
    "tests.support.postgres",
    "tests.support.api",
    "tests.support.inbox",
    "tests.support.terminal",
    "tests.support.faults.shared",
]

"""Fixtures every test may ask for."""

import gc

from tests.support.reach import reach_everything

# As `server/__main__.py` does: to look for garbage after each 700 new objects is a fifth of the time of all tests.
gc.set_threshold(50_000, 20, 50)

reach_everything()
pytest_plugins = [
    "tests.support.postgres",
    "tests.support.api",
    "tests.support.inbox",
    "tests.support.terminal",
    "tests.support.faults.shared",
]

"""Lets whoever tests see the rows of all centres; what comes in by a door of the app reaches what its sender may."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from server.core.asking import THE_SERVER, let_ask


def reach_everything() -> None:
    """Say so for this process: for its units of work, and for connections of its own past them.

    A unit of work names the reach of each transaction itself, so that this changes nothing for an app that runs here.
    """
    let_ask(THE_SERVER)
    if not event.contains(Pool, "connect", _reach):
        event.listen(Pool, "connect", _reach)


def _reach(connection: Any, _record: object) -> None:
    if hasattr(connection, "run_async"):
        connection.run_async(lambda driver: driver.execute("SET rollcall.reach = '*'"))

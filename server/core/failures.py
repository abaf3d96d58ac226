"""What may be logged of an unforeseen error: its kind and its place, never its words.

PostgreSQL quotes the failing row in its message, and a row holds names of children.
"""

import traceback
from pathlib import Path

from server.core.database import sqlstate_of

PLACES_MAX = 8


def facts_of(error: BaseException) -> dict[str, object]:
    """Give the class, the SQLSTATE when there is one, and the last places of the traceback."""
    frames = traceback.extract_tb(error.__traceback__)[-PLACES_MAX:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "sqlstate": sqlstate_of(error), "places": places}

"""The one way to a single child: whoever reads what is known of it comes through here, and is noted.

Lists of a roster are no reading of a child's file. What a guardian reads of their own child is one.
"""

from dataclasses import dataclass
from enum import StrEnum

import structlog

from server.core.errors import NotFound
from server.models.people import ChildProfile, Person
from server.repositories import children
from server.repositories.unit_of_work import UnitOfWork
from server.services.access import User

_log = structlog.get_logger(__name__)


class Part(StrEnum):
    """What of a child's file somebody reads."""

    CHILD = "child"
    RELATIONSHIPS = "relationships"
    PICKUPS = "pickups"
    ALERTS = "alerts"
    STATUS = "status"
    STAYS = "stays"
    ANNOUNCEMENTS = "announcements"
    ABSENCES = "absences"
    PHOTO = "photo"
    STATEMENT = "statement"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class ChildFile:
    """A child that is on the roster of a centre."""

    person: Person
    profile: ChildProfile


async def read_child(unit: UnitOfWork, reader: User, center_id: str, child_id: str, part: Part) -> ChildFile:
    """Give a child to somebody who is entitled to read this part of its file, and note that they did.

    Raises:
        NotFound: the centre has no such child on its roster.

    """
    found = await find_child(unit, center_id, child_id)
    unit.note_read(center_id, reader.id, child_id, part.value)
    _log.info("child_file_read", center=center_id, child=child_id, reader=reader.id, part=part.value)
    return found


async def find_child(unit: UnitOfWork, center_id: str, child_id: str) -> ChildFile:
    """Give a child whose file is about to be changed. Raises NotFound."""
    found = await children.find(unit.session, center_id, child_id)
    if found is None:
        raise NotFound("There is no such child at this centre")
    return ChildFile(*found)

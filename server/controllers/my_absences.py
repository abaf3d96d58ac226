"""When a guardian's child will not come."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Path, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.schemas.my_absences import MyAbsenceIn, MyAbsenceList, MyAbsenceOut
from server.services.access import User
from server.services.my_absences import Absence, AbsenceKind, SaidAbsence

router = api_router("/my/children/{child_id}", tags=["families"])
ChildId = Annotated[UUID, Path(description="Id of a child of mine")]
_NO_STORE = {"cache-control": "no-store"}


@router.get("/absences")
async def my_absences(
    child_id: ChildId, user: CurrentUser, services: ServicesDep, page: PageDep, response: Response
) -> MyAbsenceList:
    """List the last 200 absences of a child of mine, whoever announced them (guardian)."""
    response.headers.update(_NO_STORE)
    found, time_zone = await services.parents.absences.of_child(user, str(child_id))
    shown, cursor = page.part("my absences", found, lambda one: one.id)
    return MyAbsenceList(items=[_out(one, user, time_zone) for one in shown], next_cursor=cursor)


@router.post("/absences", status_code=status.HTTP_201_CREATED)
async def announce_absence(
    child_id: ChildId, body: MyAbsenceIn, user: CurrentUser, services: ServicesDep, response: Response
) -> MyAbsenceOut:
    """Say that a child of mine will not come, today or later (guardian who may book for it).

    Every desk shows it, and nobody looks for the child. Whether the days are charged, the centre says.
    """
    response.headers.update(_NO_STORE)
    said = SaidAbsence(
        id=str(body.id), first_day=body.first_day, last_day=body.last_day, kind=AbsenceKind(body.kind), note=body.note
    )
    row, time_zone = await services.parents.absences.announce(user, str(child_id), said)
    return _out(row, user, time_zone)


@router.delete("/absences/{absence_id}")
async def withdraw_absence(
    child_id: ChildId, absence_id: UUID, user: CurrentUser, services: ServicesDep, response: Response
) -> MyAbsenceOut:
    """Take an absence back that I announced and that has not begun: the child is expected again (guardian)."""
    response.headers.update(_NO_STORE)
    row, time_zone = await services.parents.absences.withdraw(user, str(child_id), str(absence_id))
    return _out(row, user, time_zone)


def _out(row: Absence, user: User, time_zone: str) -> MyAbsenceOut:
    zone, is_mine = ZoneInfo(time_zone), row.created_by == user.id
    return MyAbsenceOut(
        id=row.id,
        child_id=row.child_id,
        first_day=row.first_day,
        last_day=row.last_day,
        kind=AbsenceKind(row.kind).value,
        mine=is_mine,
        note=row.note if is_mine else "",
        announced_at=row.created_at.astimezone(zone),
        withdrawn_at=None if row.withdrawn_at is None else row.withdrawn_at.astimezone(zone),
    )

"""From when to when children are enrolled and staff is employed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.schemas.people_days import EmploymentIn, EmploymentOut, EnrolmentIn, EnrolmentOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.people_days import ChildProfile, Period, StaffProfile

router = APIRouter(prefix="/centers", tags=["centers"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ChildIdInPath = Annotated[UUID, Path(description="Id of a child of the centre")]
PersonIdInPath = Annotated[UUID, Path(description="Id of a member of staff of the centre")]
_ENROLMENT = "/{center_id}/children/{child_id}/enrolment"
_EMPLOYMENT = "/{center_id}/staff/{person_id}/employment"


@router.get(_ENROLMENT)
async def enrolment(center: StaffedCenter, child_id: ChildIdInPath, services: ServicesDep) -> EnrolmentOut:
    """Tell from when to when a child is enrolled (staff)."""
    return _enrolment(await services.people_days.enrolment(center, str(child_id)))


@router.put(_ENROLMENT)
async def enrol(
    center: ManagedCenter, child_id: ChildIdInPath, user: CurrentUser, services: ServicesDep, body: EnrolmentIn
) -> EnrolmentOut:
    """Say from when to when a child is enrolled (manager). What was recorded before the first day becomes a finding."""
    period = Period(body.enrolled_from, body.enrolled_to)
    return _enrolment(await services.people_days.enrol(center, user, str(child_id), period))


@router.get(_EMPLOYMENT)
async def employment(center: ManagedCenter, person_id: PersonIdInPath, services: ServicesDep) -> EmploymentOut:
    """Tell from when to when somebody is on the staff (manager)."""
    return _employment(await services.people_days.employment(center, str(person_id)))


@router.put(_EMPLOYMENT)
async def employ(
    center: ManagedCenter, person_id: PersonIdInPath, user: CurrentUser, services: ServicesDep, body: EmploymentIn
) -> EmploymentOut:
    """Say from when to when somebody is on the staff (manager). What they attested outside of it becomes a finding."""
    period = Period(body.employed_from, body.employed_to)
    return _employment(await services.people_days.employ(center, user, str(person_id), period))


def _enrolment(row: ChildProfile) -> EnrolmentOut:
    return EnrolmentOut(
        child_id=row.child_id, enrolled=row.enrolled, enrolled_from=row.enrolled_from, enrolled_to=row.enrolled_to
    )


def _employment(row: StaffProfile) -> EmploymentOut:
    return EmploymentOut(
        person_id=row.person_id, role=row.role, employed_from=row.employed_from, employed_to=row.employed_to
    )

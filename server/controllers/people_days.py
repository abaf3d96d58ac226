"""From when to when children are enrolled and staff is employed."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.people_days import EmploymentIn, EmploymentOut, EnrolmentIn, EnrolmentOut
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.people_days import (
    ChildProfile,
    Period,
    StaffProfile,
    etag_of_employment,
    etag_of_enrolment,
)

router = api_router("/centers", tags=["centers"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ChildIdInPath = Annotated[UUID, Path(description="Id of a child of the centre")]
PersonIdInPath = Annotated[UUID, Path(description="Id of a member of staff of the centre")]
_ENROLMENT = "/{center_id}/children/{child_id}/enrolment"
_EMPLOYMENT = "/{center_id}/staff/{person_id}/employment"


@router.get(_ENROLMENT)
async def enrolment(
    center: StaffedCenter, child_id: ChildIdInPath, services: ServicesDep, response: Response
) -> EnrolmentOut:
    """Tell from when to when a child is enrolled (staff)."""
    return _enrolment(await services.people_days.enrolment(center, str(child_id)), response)


@router.put(_ENROLMENT)
async def enrol(  # noqa: PLR0913 - each is a part of the request
    center: ManagedCenter,
    child_id: ChildIdInPath,
    user: CurrentUser,
    services: ServicesDep,
    body: EnrolmentIn,
    *,
    expected: ExpectedDep,
    response: Response,
) -> EnrolmentOut:
    """Say from when to when a child is enrolled (manager; If-Match); what was recorded before it becomes a finding."""
    period = Period(body.enrolled_from, body.enrolled_to)
    return _enrolment(await services.people_days.enrol(center, user, str(child_id), period, expected), response)


@router.get(_EMPLOYMENT)
async def employment(
    center: ManagedCenter, person_id: PersonIdInPath, services: ServicesDep, response: Response
) -> EmploymentOut:
    """Tell from when to when somebody is on the staff (manager)."""
    return _employment(await services.people_days.employment(center, str(person_id)), response)


@router.put(_EMPLOYMENT)
async def employ(  # noqa: PLR0913 - each is a part of the request
    center: ManagedCenter,
    person_id: PersonIdInPath,
    user: CurrentUser,
    services: ServicesDep,
    body: EmploymentIn,
    *,
    expected: ExpectedDep,
    response: Response,
) -> EmploymentOut:
    """Say from when to when somebody is on the staff (manager; If-Match); what they attested else is a finding."""
    period = Period(body.employed_from, body.employed_to)
    return _employment(await services.people_days.employ(center, user, str(person_id), period, expected), response)


def _enrolment(row: ChildProfile, response: Response) -> EnrolmentOut:
    set_etag(response, etag_of_enrolment(row))
    return EnrolmentOut(
        child_id=row.child_id, enrolled=row.enrolled, enrolled_from=row.enrolled_from, enrolled_to=row.enrolled_to
    )


def _employment(row: StaffProfile, response: Response) -> EmploymentOut:
    set_etag(response, etag_of_employment(row))
    return EmploymentOut(
        person_id=row.person_id, role=row.role, employed_from=row.employed_from, employed_to=row.employed_to
    )

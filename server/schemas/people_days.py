"""Shapes of the days from which and to which people belong to a centre."""

from datetime import date

from pydantic import Field

from server.schemas.base import Input, Output


class EnrolmentIn(Input):
    """The first and the last day of a child, both included; null: not known, or without end."""

    enrolled_from: date | None = Field(strict=False)
    enrolled_to: date | None = Field(strict=False)


class EnrolmentOut(Output):
    """When a child belongs to the centre; `enrolled`: it is on the roster at all."""

    child_id: str
    enrolled: bool
    enrolled_from: date | None
    enrolled_to: date | None


class EmploymentIn(Input):
    """The first and the last day of a member of staff, both included; null: not known, or without end."""

    employed_from: date | None = Field(strict=False)
    employed_to: date | None = Field(strict=False)


class EmploymentOut(Output):
    """When somebody is on the staff of the centre."""

    person_id: str
    role: str
    employed_from: date | None
    employed_to: date | None

"""The table from domain errors to statuses."""

from collections.abc import Iterator

from server.controllers.problems import STATUS_OF, status_of
from server.core.errors import (
    DatabaseUnavailable,
    InvalidToken,
    PreconditionFailed,
    PreconditionRequired,
    RollcallError,
)
from server.services.enrolment import EnrolmentCodeExpired, EnrolmentCodeUsed


def all_errors(kind: type[RollcallError] = RollcallError) -> Iterator[type[RollcallError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from all_errors(child)


def test_the_nearest_class_decides() -> None:
    assert status_of(InvalidToken()) == 401
    assert status_of(DatabaseUnavailable()) == 503
    assert status_of(EnrolmentCodeExpired()) == 410
    assert status_of(EnrolmentCodeUsed()) == 409
    assert status_of(PreconditionFailed()) == 412
    assert status_of(PreconditionRequired()) == 428


def test_every_error_has_a_status_and_a_code_of_its_own() -> None:
    errors = list(all_errors())
    assert all(status_of(kind()) in STATUS_OF.values() for kind in errors)
    codes = [kind.code for kind in errors]
    assert len(set(codes)) == len(codes)
    assert all(kind.title and kind.code.isidentifier() for kind in errors)

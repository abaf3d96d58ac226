"""Errors at the HTTP door: one table from domain errors to statuses, and one form (RFC 9457) for all."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from server.controllers.rate_limits import limit_headers
from server.core.errors import (
    Conflict,
    InvalidInput,
    NotEntitled,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RateLimited,
    RollcallError,
    Unauthenticated,
    Unavailable,
)
from server.schemas.base import FieldError, Problem
from server.services.enrolment import EnrolmentCodeExpired
from server.services.repeats import StillRunning

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 5
ERRORS_MAX: Final = 50

# The nearest class of an error's ancestry decides.
STATUS_OF: Final[dict[type[RollcallError], int]] = {
    InvalidInput: 422,
    Unauthenticated: 401,
    NotEntitled: 403,
    NotFound: 404,
    Conflict: 409,
    EnrolmentCodeExpired: 410,
    PreconditionFailed: 412,
    PreconditionRequired: 428,
    RateLimited: 429,
    Unavailable: 503,
    RollcallError: 500,
}
_HTTP: Final[dict[int, tuple[str, str, str]]] = {
    400: ("bad_request", "The request cannot be read", "Look at /docs for its form."),
    401: ("unauthenticated", "Sign in first", "Send an access token as Authorization: Bearer."),
    404: ("not_found", "There is nothing at this address", "Look at /docs for the addresses there are."),
    405: ("method_not_allowed", "This cannot be done at this address", "The Allow header says what can."),
    413: ("too_large", "The request is too large", "Send at most 1 MiB at once."),
    415: ("unsupported_media_type", "This kind of content is not taken", "Send application/json."),
}
_INTERNAL: Final = ("internal", "Something went wrong on our side", "Try again; x-request-id helps to find it.")
_JSON_BROKEN: Final = ("json_invalid", "The body is not JSON", "Send one JSON document in UTF-8.")

_log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Answer every error of the app as problem details."""
    app.add_exception_handler(RollcallError, _domain_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def status_of(error: RollcallError) -> int:
    """Give the status of a domain error."""
    return status_of_kind(type(error))


def status_of_kind(kind: type[RollcallError]) -> int:
    """Give the status of a kind of domain error."""
    return next(STATUS_OF[one] for one in kind.__mro__ if one in STATUS_OF)


def problem_response(
    status: int,
    words: tuple[str, str, str],
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Give problem details; `words` are code, title and detail."""
    code, title, detail = words
    listed = list(errors) or None
    problem = Problem(type=f"/problems/{code}", title=title, status=status, detail=detail, code=code, errors=listed)
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status, {**(headers or {}), "cache-control": "no-store"}, MEDIA_TYPE)


async def _domain_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RollcallError):
        raise error
    return error_response(error)


def error_response(error: RollcallError) -> JSONResponse:
    """Give the answer to a domain error."""
    errors: list[FieldError] = []
    headers: dict[str, str] = {}
    if isinstance(error, InvalidInput):
        errors = [FieldError(pointer=one.pointer, detail=one.detail) for one in error.problems]
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, StillRunning):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, RateLimited):
        headers["retry-after"] = str(error.retry_after_s)
        if error.quota is not None:
            headers |= limit_headers(error.quota, left=0, more_in_s=error.retry_after_s)
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(RETRY_AFTER_S)
        _log.warning("request_refused_unavailable", reason=error.code)
    return problem_response(status_of(error), (error.code, error.title, error.detail), errors, headers)


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    if any(problem.get("type") == "json_invalid" for problem in problems):
        return problem_response(400, _JSON_BROKEN)
    errors = [
        FieldError(pointer=_pointer(problem.get("loc", ())), detail=str(problem.get("msg", "")))
        for problem in problems[:ERRORS_MAX]
    ]
    words = (InvalidInput.code, InvalidInput.title, "Correct the fields that are listed.")
    return problem_response(422, words, errors)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    known = _HTTP.get(error.status_code)
    words = known or ("http_error", "The request was refused", str(error.detail))
    return problem_response(error.status_code, words, headers=error.headers)


def internal_error() -> JSONResponse:
    """Give the answer to what nobody foresaw; it tells nothing."""
    return problem_response(500, _INTERNAL)


def too_large() -> JSONResponse:
    """Give the answer to a body above the limit."""
    return problem_response(413, _HTTP[413])


def _pointer(location: Iterable[Any]) -> str:
    """A JSON pointer into the body, or `#query/name` style for what is not in the body."""
    where, *path = location or ("body",)
    steps = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return steps or "/" if where == "body" else f"#{where}{steps}"

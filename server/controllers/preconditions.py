"""Changes that name the state they are meant for: `ETag` out, `If-Match` in (RFC 9110 section 13, RFC 6585)."""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Response

from server.core.errors import FieldProblem, InvalidInput, PreconditionRequired
from server.core.etags import Expected

IF_MATCH_CHARACTERS_MAX: Final = 1_000
_TAG = re.compile(r'(W/)?"([!#-~]{0,64})"', re.ASCII)
_TAGS = re.compile(r'\s*(?:W/)?"[!#-~]{0,64}"(?:\s*,\s*(?:W/)?"[!#-~]{0,64}")*\s*', re.ASCII)


async def get_expected(
    if_match: Annotated[
        str | None,
        Header(max_length=IF_MATCH_CHARACTERS_MAX, description="The ETag of what is to be changed, or `*` for any"),
    ] = None,
) -> Expected:
    """Give the states a change is meant for.

    Raises PreconditionRequired (428) without the header, InvalidInput when it is no list of entity tags.
    """
    return read_if_match(if_match)


ExpectedDep = Annotated[Expected, Depends(get_expected)]


async def get_expected_if_there(
    if_match: Annotated[
        str | None,
        Header(max_length=IF_MATCH_CHARACTERS_MAX, description="The ETag of what is there; without: nothing is"),
    ] = None,
) -> Expected | None:
    """Give the states a change is meant for that may also make the thing; None: it is not there yet."""
    return None if if_match is None else read_if_match(if_match)


MaybeExpectedDep = Annotated[Expected | None, Depends(get_expected_if_there)]


def read_if_match(value: str | None) -> Expected:
    """Read an If-Match header; a weak tag stands for no state, as RFC 9110 section 13.1.1 wants."""
    if value is None or not value.strip():
        raise PreconditionRequired
    if value.strip() == "*":
        return Expected(None)
    if not _TAGS.fullmatch(value):
        detail = 'Send an ETag as it was given, in double quotes, such as "0f3a..."'
        raise InvalidInput(detail, (FieldProblem("#header/if-match", detail),))
    return Expected(frozenset(found[2] for found in _TAG.finditer(value) if not found[1]))


def is_known(etag: str, if_none_match: str) -> bool:
    """Tell whether an If-None-Match names a tag, weak ones like others, and `*` any (RFC 9110 section 13.1.2).

    What is no list of tags names none.
    """
    if if_none_match.strip() == "*":
        return True
    if len(if_none_match) > IF_MATCH_CHARACTERS_MAX or not _TAGS.fullmatch(if_none_match):
        return False
    return etag.removeprefix("W/") in {f'"{found[2]}"' for found in _TAG.finditer(if_none_match)}


def set_etag(response: Response, etag: str) -> None:
    """Say in which state the answer shows a thing; shared caches keep nothing of people."""
    response.headers["etag"] = f'"{etag}"'
    response.headers["cache-control"] = "private, no-cache"

"""The code with which a guardian's telephone opens their page at a desk."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.core.errors import NotFound
from server.schemas.door import MyFamilyCodeList, MyFamilyCodeOut
from server.web.qr import qr_svg

_CODES: Final = "/my/family-codes"
router = api_router(_CODES, tags=["families"])
_SVG: Final = "image/svg+xml"
_NO_STORE: Final = {"cache-control": "no-store"}
# As a file by itself it runs nothing and loads nothing.
_ALONE: Final = {
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}


@router.get("")
async def my_family_codes(
    user: CurrentUser, services: ServicesDep, page: PageDep, response: Response
) -> MyFamilyCodeList:
    """Give the code of mine at each centre where I am an adult of a child (guardian).

    Show it as a QR code: a desk knows me by it, with no network. It gives no right to collect; what the pick-up list
    says at the moment of the scan counts. It is a new one each day (UTC) and good for a week, so ask once a day.
    """
    response.headers.update(_NO_STORE)
    found = await services.door.codes_of(user)
    shown, cursor = page.part("family codes", found, lambda one: one[0].center_id)
    items = [
        MyFamilyCodeOut(
            center_id=adult.center_id,
            center_name=adult.center_name,
            code=made.text,
            expires_at=datetime.fromtimestamp(made.expires_at_s, UTC),
            qr=f"{_CODES}/{adult.center_id}/qr",
        )
        for adult, made in shown
    ]
    return MyFamilyCodeList(items=items, next_cursor=cursor)


@router.get("/{center_id}/qr", response_class=Response, responses={200: {"content": {_SVG: {}}}})
async def my_family_code_picture(
    center_id: Annotated[UUID, Path(description="Id of a centre of mine")], user: CurrentUser, services: ServicesDep
) -> Response:
    """Give the code of mine at a centre as a picture (SVG), white around it (guardian)."""
    made = {adult.center_id: one for adult, one in await services.door.codes_of(user)}.get(str(center_id))
    if made is None:
        raise NotFound("You are no adult of a child at such a centre")
    return Response(qr_svg(made.text), media_type=_SVG, headers={**_NO_STORE, **_ALONE})

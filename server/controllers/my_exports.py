"""Copies of what is held of me and of my children, or of a child of my centre: asked for, and taken once."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Path, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep, next_id
from server.controllers.repeats import NOT_REPEATABLE
from server.controllers.reports import ReportStream
from server.schemas.exports import ExportList, ExportOut, ExportPasswordIn, ExportTokenIn, ExportTokenOut
from server.services.exports import DataExport

EXPORTS: Final = "exports"

router = api_router("/my/exports", tags=["exports"])
ExportId = Annotated[UUID, Path(description="Id of an export that I asked for")]
_NO_STORE: Final = {"cache-control": "no-store"}
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "The file", "content": {"application/zip": {}}}}


@router.post("", status_code=status.HTTP_202_ACCEPTED)
async def ask_for_my_export(user: CurrentUser, services: ServicesDep) -> ExportOut:
    """Ask for a copy of all that is held of me and of the children whom I may see; a mail tells when it is made.

    Who asks again before that gets the same export.
    """
    return export_out(await services.parents.exports.ask_for_family(user))


@router.get("")
async def list_my_exports(user: CurrentUser, services: ServicesDep, page: PageDep) -> ExportList:
    """List what I asked for, the newest first; requests are forgotten 90 days after their end."""
    found = await services.parents.exports.page(user, after=page.after_id(EXPORTS), limit=page.limit)
    cursor = next_id(EXPORTS, found.after)
    return ExportList(items=[export_out(one) for one in found.items], next_cursor=cursor)


@router.get("/{export_id}")
async def get_my_export(export_id: ExportId, user: CurrentUser, services: ServicesDep) -> ExportOut:
    """Read how far an export of mine is."""
    return export_out(await services.parents.exports.one(user, str(export_id)))


@router.delete("/{export_id}", status_code=status.HTTP_204_NO_CONTENT)
async def withdraw_my_export(export_id: ExportId, user: CurrentUser, services: ServicesDep) -> None:
    """Take back what I asked for, with the file; safe to repeat."""
    await services.parents.exports.withdraw(user, str(export_id))


@router.post("/{export_id}/token", openapi_extra={NOT_REPEATABLE: True})
async def get_export_token(
    export_id: ExportId, body: ExportPasswordIn, user: CurrentUser, services: ServicesDep, response: Response
) -> ExportTokenOut:
    """Give the token of an export of mine for my password again: that of the mail, for whoever gets none."""
    response.headers.update(_NO_STORE)
    found = await services.parents.exports.token(user, str(export_id), body.password)
    return ExportTokenOut(token=found.token, expires_at=found.expires_at)


@router.post("/{export_id}/file", response_class=Response, responses=_FILE, openapi_extra={NOT_REPEATABLE: True})
async def take_my_export(
    export_id: ExportId, body: ExportTokenIn, user: CurrentUser, services: ServicesDep
) -> Response:
    """Take an export of mine with its token: a ZIP, once. A download that breaks off can be begun again.

    `Content-Length` says how long the whole is. When its last byte was sent, the export is taken, and the file is gone.
    """
    package = await services.parents.exports.open(user, str(export_id), body.token)
    return ReportStream(
        services.parents.exports.chunks(user, package),
        media_type="application/zip",
        headers={
            **_NO_STORE,
            "content-disposition": f'attachment; filename="rollcall-{package.made_at:%Y-%m-%d}.zip"',
            "content-length": str(package.size_bytes),
            "x-accel-buffering": "no",
        },
    )


def export_out(row: DataExport) -> ExportOut:
    """Give an export as clients get it."""
    return ExportOut.model_validate({name: getattr(row, name) for name in ExportOut.model_fields})

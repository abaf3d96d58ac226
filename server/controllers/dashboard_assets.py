"""The files that the dashboard's pages load."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Response

from server.core.errors import NotFound
from server.web.assets import shipped_assets

router = APIRouter(prefix="/dashboard/assets", include_in_schema=False)
_YEAR_S: Final = 31_536_000


@router.get("/{version}/{name}")
async def asset(
    version: Annotated[str, Path(max_length=16)],
    name: Annotated[str, Path(max_length=64)],
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Give a file; the address of this version is good for ever, that of another one gives what there is now."""
    assets = shipped_assets()
    found = assets.find(name)
    if found is None:
        raise NotFound("There is no such file")
    is_this = version == assets.version
    headers = {
        "etag": found.etag,
        "cache-control": f"public, max-age={_YEAR_S}, immutable" if is_this else "no-cache",
        "cross-origin-resource-policy": "same-origin",
    }
    if if_none_match == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)

"""Photos as files over HTTP: how one is taken in, and how one is sent so that nobody else keeps it."""

from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response

from server.controllers.preconditions import set_etag
from server.core.pictures import MEDIA_TYPES, STORED_TYPE
from server.services.photos import Shown, Upload

TYPE_CHARACTERS_MAX: Final = 200
IF_NONE_MATCH_CHARACTERS_MAX: Final = 200
_FILE: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
PHOTO_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _FILE)}}
"""For OpenAPI: the body is the file itself."""
PHOTO_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {STORED_TYPE: _FILE}, "description": "The photo, a JPEG"},
    304: {"description": "It is the one you have"},
}
# Nothing is run or loaded by what somebody sent, whatever a browser takes it for.
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": 'inline; filename="photo.jpg"',
    "cross-origin-resource-policy": "same-origin",
}


async def get_upload(
    request: Request, content_type: Annotated[str, Header(max_length=TYPE_CHARACTERS_MAX)] = ""
) -> Upload:
    """Give the file that was sent, at most what a body may be, with what it says it is."""
    return Upload(await request.body(), content_type.partition(";")[0].strip().lower())


UploadDep = Annotated[Upload, Depends(get_upload)]
IfNoneMatch = Annotated[str | None, Header(max_length=IF_NONE_MATCH_CHARACTERS_MAX)]


def photo_response(photo: Shown, if_none_match: str | None) -> Response:
    """Send a photo, or say that it is the one that the reader has; only the reader's own browser may keep it."""
    is_known = if_none_match is not None and f'"{photo.etag}"' in if_none_match
    response = Response(status_code=304) if is_known else Response(photo.body, media_type=STORED_TYPE)
    response.headers.update(_HEADERS)
    set_etag(response, photo.etag)
    return response

"""Whether this process lives, and whether it can do its work."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from server.controllers.dependencies import ServicesDep
from server.controllers.problems import RETRY_AFTER_S

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Answer as long as the process can answer at all."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "Not ready; `checks` says why"}})
async def readyz(services: ServicesDep) -> Response:
    """Answer 200 when the database can be used and has the schema this server needs."""
    readiness = await services.health.readiness()
    status = "ready" if readiness.is_ready else "not ready"
    content = {"status": status, "checks": readiness.checks}
    if readiness.is_ready:
        return JSONResponse(content)
    return JSONResponse(content, 503, {"retry-after": str(RETRY_AFTER_S)})

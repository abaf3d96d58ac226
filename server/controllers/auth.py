"""Log-in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.security import OAuth2PasswordRequestForm

from server.controllers.dependencies import ServicesDep
from server.schemas.auth import AccessToken

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/token")
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], services: ServicesDep, response: Response
) -> AccessToken:
    """Get an access token for an e-mail address and a password (OAuth2 password form)."""
    issued = await services.auth.log_in(form.username, form.password)
    response.headers["cache-control"] = "no-store"
    return AccessToken(access_token=issued.token, expires_in=issued.expires_in_s)

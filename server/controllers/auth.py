"""Log-in, what keeps it going, and what ends it; forgotten passwords and accepted invitations."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response, status
from fastapi.security import OAuth2PasswordRequestForm

from server.controllers.api_router import api_router
from server.controllers.dependencies import ClientDep, CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.controllers.who_asks import let_somebody_ask
from server.schemas.auth import (
    AcceptIn,
    AcceptOut,
    NewPasswordIn,
    RecoveryIn,
    RecoveryOut,
    RefreshIn,
    SessionList,
    SessionOut,
    SessionTokens,
)
from server.services.invitations import Applicant
from server.services.sessions import SignedIn

RECOVERY_ANSWER = "If there is an account with this address, a mail is on its way. It is good for an hour."

router = api_router("/auth", tags=["auth"], dependencies=[Depends(let_somebody_ask)])


@router.post("/token")
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()], services: ServicesDep, client: ClientDep, response: Response
) -> SessionTokens:
    """Begin a session with an e-mail address and a password (OAuth2 password form)."""
    return _tokens(await services.auth.log_in(form.username, form.password, client), response)


@router.post("/refresh")
async def refresh(body: RefreshIn, services: ServicesDep, client: ClientDep, response: Response) -> SessionTokens:
    """Get the next access token. The refresh token is used up: keep the one that comes back.

    The same token within a minute gets the same refresh token again; shown later, it ends the session.
    """
    return _tokens(await services.sessions.refresh(body.refresh_token, client), response)


@router.post("/log-out", status_code=status.HTTP_204_NO_CONTENT)
async def log_out(body: RefreshIn, services: ServicesDep) -> None:
    """End the session of a refresh token. What is no token of ours is answered alike."""
    await services.sessions.log_out(body.refresh_token)


@router.get("/sessions")
async def list_sessions(user: CurrentUser, services: ServicesDep, page: PageDep) -> SessionList:
    """List where I am signed in."""
    shown, cursor = page.part("sessions", await services.sessions.of_user(user), lambda one: one.id)
    items = [
        SessionOut(
            id=one.id,
            client=one.client,
            created_at=one.created_at,
            last_used_at=one.last_used_at,
            expires_at=one.expires_at,
            is_current=one.id == user.session_id,
        )
        for one in shown
    ]
    return SessionList(items=items, next_cursor=cursor)


@router.delete("/sessions", status_code=status.HTTP_204_NO_CONTENT)
async def end_other_sessions(user: CurrentUser, services: ServicesDep) -> None:
    """Sign me out everywhere but here."""
    await services.sessions.end_others(user)


@router.delete("/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
async def end_session(session_id: UUID, user: CurrentUser, services: ServicesDep) -> None:
    """Sign me out in one place, which may be this one; its access token stops working at once."""
    await services.sessions.end(user, str(session_id))


@router.post("/recovery", status_code=status.HTTP_202_ACCEPTED)
async def ask_recovery(body: RecoveryIn, services: ServicesDep, client: ClientDep) -> RecoveryOut:
    """Ask for a mail with which a new password can be set. The answer does not tell whether there is an account."""
    await services.recoveries.ask(body.email, client)
    return RecoveryOut(detail=RECOVERY_ANSWER)


@router.post("/recovery/complete", status_code=status.HTTP_204_NO_CONTENT)
async def complete_recovery(body: NewPasswordIn, services: ServicesDep, client: ClientDep) -> None:
    """Set a new password with the token of a mail; the account is signed out everywhere."""
    await services.recoveries.complete(body.token, body.password, client)


@router.post("/invitations/accept")
async def accept_invitation(body: AcceptIn, services: ServicesDep, client: ClientDep) -> AcceptOut:
    """Accept an invitation with the token of a mail. Sign in afterwards."""
    applicant = Applicant(body.display_name, body.password)
    accepted = await services.invitations.accept(body.token, applicant, client)
    return AcceptOut(email=accepted.email, account="new" if accepted.is_new else "known")


def _tokens(signed_in: SignedIn, response: Response) -> SessionTokens:
    response.headers["cache-control"] = "no-store"
    return SessionTokens(
        access_token=signed_in.token,
        expires_in=signed_in.expires_in_s,
        refresh_token=signed_in.refresh_token,
        refresh_expires_in=signed_in.refresh_expires_in_s,
    )

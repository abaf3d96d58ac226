"""The HTTP doors of the server: which routes there are, in the order in which addresses are matched."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from server.controllers import (
    absences,
    adults,
    alerts,
    analytics,
    api_docs,
    attendance,
    audit,
    auth,
    barcodes,
    bookings,
    calendar_feeds,
    center_days,
    centers,
    children,
    dashboard,
    dashboard_analytics,
    dashboard_assets,
    dashboard_reports,
    dashboard_sign_in,
    desk_entries,
    devices,
    door,
    erasures,
    expected,
    exports,
    health,
    incidents,
    live,
    mailed_links,
    members,
    my_absences,
    my_attendance,
    my_children,
    my_exports,
    my_family_codes,
    my_live,
    my_notifications,
    my_photos,
    my_pickups,
    my_statements,
    my_stays,
    offers,
    people_days,
    photos,
    pickups,
    presence,
    problems,
    ratio,
    relationships,
    reports,
    reviews,
    schedules,
    set_aside,
    staff,
    statements,
    stay_evidence,
    sync_socket,
    users,
    webhooks,
)
from server.controllers.api_document import ApiApp
from server.controllers.api_router import API_PREFIX
from server.controllers.browser import browser_door
from server.controllers.conditional import ConditionalReads
from server.controllers.middleware import HTTPS_ONLY, SAFE_HEADERS, RequestFrame
from server.controllers.repeats import AnsweredBefore, RepeatableRequests, answer_again
from server.core.clock import Clock
from server.core.ids import Ids
from server.core.settings import Settings


def build_app(settings: Settings, clock: Clock) -> FastAPI:
    """Make the app with its routes; without services it answers that it is not ready."""
    app = ApiApp(
        title="Rollcall",
        description="Check-in and check-out for child-care centres, offline first.",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=api_docs.OPENAPI_PATH if settings.docs_enabled else None,
    )
    # `presence` first: no `/attendance/{...}` that comes later takes its address.
    attendances = (presence, attendance, desk_entries, stay_evidence, reviews, set_aside)
    people = (auth, users, members)
    roster = (children, adults, staff, relationships, pickups, alerts, photos, barcodes, exports)
    families = (
        my_children,
        my_live,
        my_stays,
        my_pickups,
        my_absences,
        my_photos,
        my_statements,
        my_family_codes,
        my_attendance,
        my_notifications,
        calendar_feeds,
        my_exports,
    )
    managing = (incidents, audit, live, reports, analytics, erasures, webhooks)
    center = (centers, center_days, absences, people_days, devices, door, *attendances, ratio, *managing)
    planning = (offers, schedules, bookings, expected, statements)
    for part in (*people, *center, *roster, *families, *planning):
        open_routes(app, part.router, under=API_PREFIX)
    open_routes(app, health.router)
    open_routes(app, sync_socket.router)
    pages = (dashboard_assets, dashboard_sign_in, dashboard, dashboard_reports, dashboard_analytics, mailed_links)
    for page in (dashboard.root, *(part.router for part in pages)):
        open_routes(app, page)
    app.state.browser_door = browser_door(settings)
    app.state.base_url = settings.base_url
    app.state.report_font = settings.report_font
    if settings.docs_enabled:
        api_docs.install(app)
    problems.install(app)
    app.add_exception_handler(AnsweredBefore, answer_again)
    app.add_middleware(RepeatableRequests)
    app.add_middleware(ConditionalReads, prefix=API_PREFIX)
    if settings.cors_origins:
        _open_to(app, settings.cors_origins)
    headers = (*SAFE_HEADERS, HTTPS_ONLY) if settings.environment == "production" else SAFE_HEADERS
    app.add_middleware(RequestFrame, clock=clock, new_id=Ids(clock).new, headers=headers)
    return app


def open_routes(app: FastAPI, router: APIRouter, *, under: str = "/") -> None:
    """Let the app answer at the routes of a router, as they are: to include it would make each of them again."""
    for route in router.routes:
        if not getattr(route, "path", "").startswith(under):
            message = f"{route} does not lie under {under}: its router comes from APIRouter in place of api_router"
            raise TypeError(message)
    app.router.routes.extend(router.routes)


def _open_to(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of these origins call the API, and read what its headers say."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID",
        ],
        expose_headers=[
            "ETag", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID",
        ],
    )  # fmt: skip


def _version() -> str:
    try:
        return version("rollcall")
    except PackageNotFoundError:
        return "0"

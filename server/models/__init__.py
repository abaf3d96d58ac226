"""The tables of the server; `metadata` knows all of them."""

from sqlmodel import SQLModel

from server.models import (
    absences,
    accounts,
    audit,
    browser_sessions,
    calendar_feeds,
    credentials,
    devices,
    erasure,
    exports,
    incidents,
    mail,
    people,
    photos,
    planning,
    projections,
    request_keys,
    rooms,
    sessions,
    set_aside,
    signed_heads,
    sync,
    webhooks,
)

metadata = SQLModel.metadata

__all__ = [
    "absences",
    "accounts",
    "audit",
    "browser_sessions",
    "calendar_feeds",
    "credentials",
    "devices",
    "erasure",
    "exports",
    "incidents",
    "mail",
    "metadata",
    "people",
    "photos",
    "planning",
    "projections",
    "request_keys",
    "rooms",
    "sessions",
    "set_aside",
    "signed_heads",
    "sync",
    "webhooks",
]

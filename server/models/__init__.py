"""The tables of the server; `metadata` knows all of them."""

from sqlmodel import SQLModel

from server.models import accounts, browser_sessions, devices, incidents, mail, people, projections, rooms, sync

metadata = SQLModel.metadata

__all__ = [
    "accounts", "browser_sessions", "devices", "incidents", "mail", "metadata", "people", "projections", "rooms",
    "sync",
]  # fmt: skip

"""The tables of the server; `metadata` knows all of them."""

from sqlmodel import SQLModel

from server.models import accounts, devices, incidents, people, projections, rooms, sync

metadata = SQLModel.metadata

__all__ = ["accounts", "devices", "incidents", "metadata", "people", "projections", "rooms", "sync"]

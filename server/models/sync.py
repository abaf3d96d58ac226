"""The tables behind sync: heads and rows of the change log, journals of devices, facts, positions.

Texts that come from a device unchecked are kept in the escaped form of `server.repositories.journals`,
because PostgreSQL's text cannot hold NUL and an entry is never refused for what it says. No row here
refers to another table: a log outlives what it speaks of.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Index, Numeric, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

from server.models.columns import TIMESTAMP, UUID_TEXT


class CenterHead(SQLModel, table=True):
    """The end of a centre's log; whoever numbers new rows holds the lock on this row."""

    __tablename__ = "center_head"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    epoch: str = Field(sa_type=UUID_TEXT)
    version: int = Field(sa_type=BigInteger)
    hash: bytes
    # The chain of `sync.evidence`, and through which version it and the digests of the buckets reach: `version`,
    # unless a server of the release before has appended since.
    evidence: bytes = Field(default=b"", sa_column_kwargs={"server_default": ""})
    evidence_version: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    # The first life of this log, to which its genesis is bound.
    origin_epoch: str = Field(sa_type=UUID_TEXT)
    # Superseded bodies up to here are gone: a cursor below needs a snapshot.
    compacted_version: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    # The guard on synced tables: the last transaction that wrote one for this centre, and the last that asked the log.
    written_xact: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    logged_xact: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class LogEpoch(SQLModel, table=True):
    """One life of a centre's log, from `from_version` on; a restore from a backup begins another."""

    __tablename__ = "log_epoch"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    epoch: str = Field(primary_key=True, sa_type=UUID_TEXT)
    from_version: int = Field(sa_type=BigInteger)
    began_at: datetime = Field(sa_type=TIMESTAMP)
    reason: str = Field(sa_type=Text)


class BucketDigestRow(SQLModel, table=True):
    """The digest of a bucket as `sync.digest` counts it: `total` is the sum, over `records` records."""

    __tablename__ = "bucket_digest"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    bucket: str = Field(primary_key=True, sa_type=Text)
    total: Decimal = Field(sa_type=Numeric(78, 0))
    records: int = Field(sa_type=BigInteger)


class ChangeRow(SQLModel, table=True):
    """One row of a centre's change log. `operation` is the number of a `sync.change_log.Operation`."""

    __tablename__ = "change_log"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    version: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    bucket: str = Field(sa_type=Text)
    entity: str = Field(sa_type=Text)
    entity_id: str = Field(sa_type=Text)
    operation: int = Field(sa_type=SmallInteger)
    body: bytes
    salt: bytes
    commitment: bytes
    hash: bytes
    transaction_last: bool
    at: datetime = Field(sa_type=TIMESTAMP)
    actor: str = Field(sa_type=Text)
    origin: str = Field(sa_type=Text)
    # The evidence chain at this row; empty in rows of a server that knew of none.
    evidence: bytes = Field(default=b"", sa_column_kwargs={"server_default": ""})


class CurrentRecord(SQLModel, table=True):
    """The fold of the change log: each record as it stands, last changed at `version`."""

    __tablename__ = "current_record"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    entity: str = Field(primary_key=True, sa_type=Text)
    entity_id: str = Field(primary_key=True, sa_type=Text)
    bucket: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    body: bytes
    salt: bytes
    commitment: bytes


class DeviceJournal(SQLModel, table=True):
    """The end of one journal of one device, kept for ever."""

    __tablename__ = "device_journal"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    device_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    incarnation: str = Field(primary_key=True, sa_type=Text)
    last_seq: int = Field(sa_type=BigInteger)
    last_hash: bytes
    evidence: bytes = Field(default=b"", sa_column_kwargs={"server_default": ""})
    evidence_seq: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class JournalEntry(SQLModel, table=True):
    """One entry exactly as its device signed it, and what became of it; an `event_id` may come twice."""

    __tablename__ = "journal_entry"
    __table_args__ = (
        # 5: kept aside (`sync.journal.Outcome.PARKED`).
        Index("ix_journal_entry_set_aside", "center_id", "received_at", "hash", postgresql_where=text("outcome = 5")),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    device_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    incarnation: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    event_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    body: bytes
    hlc: int = Field(sa_type=BigInteger)
    wall_ms: int = Field(sa_type=BigInteger)
    monotonic_ms: int = Field(sa_type=BigInteger)
    boot_id: str = Field(sa_type=Text)
    base_epoch: str = Field(sa_type=Text)
    base_version: int = Field(sa_type=BigInteger)
    previous_hash: bytes
    hash: bytes
    signature: bytes
    received_at: datetime = Field(sa_type=TIMESTAMP)
    outcome: int = Field(sa_type=SmallInteger)
    reason: int = Field(sa_type=SmallInteger)
    version: int = Field(sa_type=BigInteger)
    evidence: bytes = Field(default=b"", sa_column_kwargs={"server_default": ""})


class AttendanceEventRow(SQLModel, table=True):
    """A fact of the centre; `body` is the journal entry's, byte for byte, and says more than the columns.

    `child_id` is the event's subject: a child in most, or a grown-up, a roll-call, a room, or the centre.
    """

    __tablename__ = "attendance_event"
    __table_args__ = (
        Index(None, "center_id", "child_id", "corrected_at"),
        Index(None, "center_id", "corrected_at"),
        Index(
            "ix_attendance_event_acts",
            "center_id",
            "child_id",
            postgresql_where=text("kind IN ('void', 'correct', 'review_resolved')"),
        ),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    event_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(sa_type=UUID_TEXT)
    kind: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_type=TIMESTAMP)
    corrected_at: datetime = Field(sa_type=TIMESTAMP)
    recorded_at: datetime = Field(sa_type=TIMESTAMP)
    received_at: datetime = Field(sa_type=TIMESTAMP)
    device_id: str = Field(sa_type=UUID_TEXT)
    incarnation: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    hlc: int = Field(sa_type=BigInteger)
    version: int = Field(sa_type=BigInteger)
    body: bytes


class DevicePosition(SQLModel, table=True):
    """How far a device said that its replica is, and how much it still has to send; late by a few seconds."""

    __tablename__ = "device_position"

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    device_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    epoch: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    queue_depth: int = Field(sa_type=BigInteger)
    at: datetime = Field(sa_type=TIMESTAMP)

"""Evidence chains, digests of buckets, lives of a log, incidents of devices, and a guard on every synced table.

Revision: 0003, after 0002.

What stands already is read before any table is locked: a server of the version before goes on writing meanwhile, and
after. `evidence_version` and `evidence_seq` say how far evidence and digests reach; whoever appends next carries them
on from there.
"""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from alembic import op
from sqlalchemy import Connection, Row, text

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Rows read at a time: 10,000 of them are a few MiB.
BATCH_ROWS = 10_000
DIGEST_MODULUS = 2**256

TABLES = {
    "bucket_digest": """
        CREATE TABLE bucket_digest (
            center_id uuid NOT NULL,
            bucket text NOT NULL,
            total numeric(78, 0) NOT NULL,
            records bigint NOT NULL,
            CONSTRAINT pk_bucket_digest PRIMARY KEY (center_id, bucket)
        )
    """,
    "log_epoch": """
        CREATE TABLE log_epoch (
            center_id uuid NOT NULL,
            epoch uuid NOT NULL,
            from_version bigint NOT NULL,
            began_at timestamptz NOT NULL,
            reason text NOT NULL,
            CONSTRAINT pk_log_epoch PRIMARY KEY (center_id, epoch)
        )
    """,
    "device_incident": """
        CREATE TABLE device_incident (
            center_id uuid NOT NULL,
            event_id uuid NOT NULL,
            device_id uuid NOT NULL,
            incident text NOT NULL,
            detail jsonb NOT NULL,
            occurred_at timestamptz NOT NULL,
            received_at timestamptz NOT NULL,
            CONSTRAINT pk_device_incident PRIMARY KEY (center_id, event_id)
        )
    """,
}
INDEXES = ("CREATE INDEX ix_device_incident_center_id_received_at ON device_incident (center_id, received_at)",)
# What was once written here is never changed by the server as it runs.
APPEND_ONLY = ("log_epoch", "device_incident")

# The defaults let a server of the version before insert rows as it always did.
COLUMNS = (
    """
        ALTER TABLE center_head
            ADD COLUMN evidence bytea DEFAULT '' NOT NULL,
            ADD COLUMN evidence_version bigint DEFAULT 0 NOT NULL,
            ADD COLUMN origin_epoch uuid,
            ADD COLUMN compacted_version bigint DEFAULT 0 NOT NULL,
            ADD COLUMN written_xact bigint DEFAULT 0 NOT NULL,
            ADD COLUMN logged_xact bigint DEFAULT 0 NOT NULL
    """,
    """
        ALTER TABLE device_journal
            ADD COLUMN evidence bytea DEFAULT '' NOT NULL,
            ADD COLUMN evidence_seq bigint DEFAULT 0 NOT NULL
    """,
    # The running value beside each row says which row was touched; the head proves that one was. '' says nothing.
    "ALTER TABLE change_log ADD COLUMN evidence bytea DEFAULT '' NOT NULL",
    "ALTER TABLE journal_entry ADD COLUMN evidence bytea DEFAULT '' NOT NULL",
)

FOUND = (
    "CREATE TEMPORARY TABLE found_log (center_id uuid, version bigint, evidence bytea) ON COMMIT DROP",
    """
        CREATE TEMPORARY TABLE found_journal (
            center_id uuid, device_id uuid, incarnation text, seq bigint, evidence bytea
        ) ON COMMIT DROP
    """,
)
KEEP_FOUND = (
    """
        UPDATE center_head SET evidence = found.evidence, evidence_version = found.version
        FROM found_log AS found WHERE found.center_id = center_head.center_id
    """,
    "UPDATE center_head SET origin_epoch = epoch",
    "ALTER TABLE center_head ALTER COLUMN origin_epoch SET NOT NULL",
    """
        UPDATE device_journal AS journal SET evidence = found.evidence, evidence_seq = found.seq
        FROM found_journal AS found
        WHERE found.center_id = journal.center_id AND found.device_id = journal.device_id
          AND found.incarnation = journal.incarnation
    """,
    "DROP TABLE found_log, found_journal",
    """
        INSERT INTO log_epoch (center_id, epoch, from_version, began_at, reason)
        SELECT head.center_id, head.epoch, 0, coalesce(first.at, now()), 'begun'
        FROM center_head AS head
        LEFT JOIN change_log AS first ON first.center_id = head.center_id AND first.version = 1
    """,
)

# A server of the version before makes and moves heads without a word about the new columns.
OLDER_SERVER = (
    """
        CREATE FUNCTION begin_log_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.origin_epoch := NEW.epoch;
            INSERT INTO log_epoch (center_id, epoch, from_version, began_at, reason)
            VALUES (NEW.center_id, NEW.epoch, NEW.version, now(), 'begun')
            ON CONFLICT (center_id, epoch) DO NOTHING;
            RETURN NEW;
        END $$
    """,
    """
        CREATE TRIGGER begin_log_epoch BEFORE INSERT ON center_head FOR EACH ROW
        WHEN (NEW.origin_epoch IS NULL) EXECUTE FUNCTION begin_log_epoch()
    """,
    """
        CREATE FUNCTION note_logged() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.logged_xact := pg_current_xact_id()::text::bigint;
            RETURN NEW;
        END $$
    """,
    """
        CREATE TRIGGER note_logged BEFORE UPDATE ON center_head FOR EACH ROW
        WHEN (NEW.version <> OLD.version AND NEW.logged_xact = OLD.logged_xact) EXECUTE FUNCTION note_logged()
    """,
)

# The guard. A statement that writes a synced table notes its transaction in the heads of the centres concerned; at
# commit, each of those heads must say that the same transaction asked the log. Noted once for each centre, a push of
# 2,000 rows costs 0.4 us a row; a deferred trigger on the rows themselves would cost 3 us.
GUARD_FUNCTIONS = (
    """
        CREATE FUNCTION note_synced_write(centers uuid[]) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            this_xact bigint;
        BEGIN
            IF centers IS NULL THEN
                RETURN;
            END IF;
            this_xact := pg_current_xact_id()::text::bigint;
            IF EXISTS (SELECT FROM unnest(centers) AS written(center_id)
                       WHERE NOT EXISTS (SELECT FROM center_head AS head
                                         WHERE head.center_id = written.center_id)) THEN
                RAISE EXCEPTION 'a synced table was written for a centre without a log'
                    USING ERRCODE = 'object_not_in_prerequisite_state';
            END IF;
            UPDATE center_head SET written_xact = this_xact
            WHERE center_id = ANY (centers) AND written_xact <> this_xact;
        END $$
    """,
    """
        CREATE FUNCTION guard_synced_write() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM note_synced_write(array_agg(DISTINCT center_id)) FROM changed;
            RETURN NULL;
        END $$
    """,
    """
        CREATE FUNCTION guard_center_write() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM note_synced_write(array_agg(DISTINCT id)) FROM changed;
            RETURN NULL;
        END $$
    """,
    """
        CREATE FUNCTION check_logged() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT FROM center_head AS head WHERE head.center_id = NEW.center_id
                           AND head.logged_xact = pg_current_xact_id()::text::bigint) THEN
                RAISE EXCEPTION 'a synced table of a centre was written without its change log'
                    USING ERRCODE = 'object_not_in_prerequisite_state',
                          HINT = 'Say in the same unit of work what devices are to know of it.';
            END IF;
            RETURN NULL;
        END $$
    """,
    """
        CREATE CONSTRAINT TRIGGER check_logged AFTER UPDATE ON center_head
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.written_xact <> OLD.written_xact) EXECUTE FUNCTION check_logged()
    """,
)
SYNCED_TABLES = (
    "room", "person", "child_profile", "alert", "relationship", "pickup_authorisation", "staff_profile",
    "attendance_event",
)  # fmt: skip
# What a row that leaves a centre, or changes, was before matters as much as what it is after.
GUARDED = (("INSERT", "NEW"), ("UPDATE", "OLD"), ("UPDATE", "NEW"), ("DELETE", "OLD"))


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES, *FOUND):
        op.execute(statement)
    connection = op.get_bind()
    _find_log_evidence(connection)
    _find_journal_evidence(connection)
    for statement in (*COLUMNS, *KEEP_FOUND, *OLDER_SERVER, *GUARD_FUNCTIONS, *_guards()):
        op.execute(statement)
    app_role = connection.scalar(text("SELECT quote_ident(nullif(current_setting('rollcall.app_role', true), ''))"))
    if app_role:
        op.execute(f"REVOKE UPDATE, DELETE ON {', '.join(APPEND_ONLY)} FROM {app_role}")


def downgrade() -> None:
    """Take the step back."""
    for table in (*SYNCED_TABLES, "center"):
        for event, row in GUARDED:
            op.execute(f"DROP TRIGGER IF EXISTS {_guard_name(event, row)} ON {table}")
    for trigger in ("check_logged", "note_logged", "begin_log_epoch"):
        op.execute(f"DROP TRIGGER {trigger} ON center_head")
    for function in ("check_logged()", "guard_center_write()", "guard_synced_write()", "note_synced_write(uuid[])",
                     "note_logged()", "begin_log_epoch()"):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}")
    for table in ("change_log", "journal_entry"):
        op.execute(f"ALTER TABLE {table} DROP COLUMN evidence")
    op.execute("ALTER TABLE device_journal DROP COLUMN evidence, DROP COLUMN evidence_seq")
    op.execute(
        "ALTER TABLE center_head DROP COLUMN evidence, DROP COLUMN evidence_version, DROP COLUMN origin_epoch, "
        "DROP COLUMN compacted_version, DROP COLUMN written_xact, DROP COLUMN logged_xact"
    )
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")


def _guards() -> Iterator[str]:
    """The triggers of the guard. A new centre has no log yet; it begins with the first that devices are to know."""
    for event, row in GUARDED:
        for table in SYNCED_TABLES:
            yield _guard(table, event, row, "guard_synced_write")
        if event != "INSERT":
            yield _guard("center", event, row, "guard_center_write")


def _guard(table: str, event: str, row: str, function: str) -> str:
    return (
        f"CREATE TRIGGER {_guard_name(event, row)} AFTER {event} ON {table} "
        f"REFERENCING {row} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def _guard_name(event: str, row: str) -> str:
    return f"guard_{event.lower()}_{row.lower()}"


def _find_log_evidence(connection: Connection) -> None:
    """Go through every log and everything that stands, a batch at a time."""
    for log in connection.execute(text("SELECT center_id, version FROM center_head ORDER BY center_id")).all():
        evidence = b""
        for row in _log_rows(connection, log):
            fields = (evidence, row.hash, row.bucket, row.transaction_last, row.at_us, row.actor, row.origin)
            evidence = _sha256(fields)
        connection.execute(
            text("INSERT INTO found_log (center_id, version, evidence) VALUES (:center_id, :version, :evidence)"),
            {"center_id": log.center_id, "version": log.version, "evidence": evidence},
        )
        _find_digests(connection, log.center_id)


def _log_rows(connection: Connection, log: Row[tuple[object, ...]]) -> Iterator[Row[tuple[object, ...]]]:
    statement = text("""
        SELECT version, hash, bucket, transaction_last, CAST(extract(epoch FROM at) * 1000000 AS bigint) AS at_us,
               actor, origin
        FROM change_log WHERE center_id = :center_id AND version > :after AND version <= :through
        ORDER BY version LIMIT :rows
    """)
    key = {"center_id": log.center_id, "after": 0, "through": log.version, "rows": BATCH_ROWS}
    while batch := connection.execute(statement, key).all():
        yield from batch
        key["after"] = batch[-1].version


def _find_digests(connection: Connection, center_id: object) -> None:
    statement = text("""
        SELECT entity, entity_id, bucket, version, commitment FROM current_record
        WHERE center_id = :center_id AND (entity, entity_id) > (:entity, :entity_id)
        ORDER BY entity, entity_id LIMIT :rows
    """)
    key = {"center_id": center_id, "entity": "", "entity_id": "", "rows": BATCH_ROWS}
    totals: dict[str, int] = {}
    records: dict[str, int] = {}
    while batch := connection.execute(statement, key).all():
        for row in batch:
            material = f"{row.entity}\x00{row.entity_id}\x00{row.version}\x00".encode() + row.commitment
            share = int.from_bytes(hashlib.sha256(material).digest(), "big")
            totals[row.bucket] = (totals.get(row.bucket, 0) + share) % DIGEST_MODULUS
            records[row.bucket] = records.get(row.bucket, 0) + 1
        key |= {"entity": batch[-1].entity, "entity_id": batch[-1].entity_id}
    store = text("""
        INSERT INTO bucket_digest (center_id, bucket, total, records)
        VALUES (:center_id, :bucket, CAST(CAST(:total AS text) AS numeric), :records)
    """)
    for bucket, total in totals.items():
        found = {"center_id": center_id, "bucket": bucket, "total": str(total), "records": records[bucket]}
        connection.execute(store, found)


def _find_journal_evidence(connection: Connection) -> None:
    """Go through every journal, one after the other; their ends fit in memory."""
    statement = text("""
        SELECT center_id, device_id, incarnation, last_seq FROM device_journal
        ORDER BY center_id, device_id, incarnation
    """)
    store = text("""
        INSERT INTO found_journal (center_id, device_id, incarnation, seq, evidence)
        VALUES (:center_id, :device_id, :incarnation, :seq, :evidence)
    """)
    for journal in connection.execute(statement).all():
        evidence = b""
        for row in _journal_rows(connection, journal):
            fields = (evidence, row.hash, row.signature, row.outcome, row.reason, row.version, row.received_at_us)
            evidence = _sha256(fields)
        key = {"center_id": journal.center_id, "device_id": journal.device_id, "incarnation": journal.incarnation}
        connection.execute(store, key | {"seq": journal.last_seq, "evidence": evidence})


def _journal_rows(connection: Connection, journal: Row[tuple[object, ...]]) -> Iterator[Row[tuple[object, ...]]]:
    statement = text("""
        SELECT seq, hash, signature, outcome, reason, version,
               CAST(extract(epoch FROM received_at) * 1000000 AS bigint) AS received_at_us
        FROM journal_entry
        WHERE center_id = :center_id AND device_id = :device_id AND incarnation = :incarnation
          AND seq > :after AND seq <= :through
        ORDER BY seq LIMIT :rows
    """)
    key = {
        "center_id": journal.center_id,
        "device_id": journal.device_id,
        "incarnation": journal.incarnation,
        "after": 0,
        "through": journal.last_seq,
        "rows": BATCH_ROWS,
    }
    while batch := connection.execute(statement, key).all():
        yield from batch
        key["after"] = batch[-1].seq


def _sha256(fields: tuple[object, ...]) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode(fields)).digest()

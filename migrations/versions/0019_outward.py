"""What goes out by itself: webhooks, choices of guardians, silent desks, and daily seals of the log.

Revision: 0019, after 0016.

The change log holds what devices hold. What is in none of it (bookings, absences as a table, findings, silent desks) is
noted by triggers in `center_event`, whichever statement wrote it, and only at centres where somebody listens: those
with a row in `center_event_head`. The triggers are deferred: the head is the last lock of a transaction, so no two
wait for each other in a circle, and order of numbers is order of commits.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0019"
down_revision: str | Sequence[str] | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = {
    "webhook": """
        CREATE TABLE webhook (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            url varchar(500) NOT NULL,
            description varchar(200) NOT NULL,
            kinds varchar[] NOT NULL,
            state varchar(16) NOT NULL,
            pause_reason varchar(16) NOT NULL,
            revision integer NOT NULL,
            secret_number integer NOT NULL,
            rotated_at timestamptz,
            epoch uuid,
            version bigint NOT NULL,
            number bigint NOT NULL,
            ping_id uuid,
            attempts integer NOT NULL,
            failing_since timestamptz,
            last_error varchar(100) NOT NULL,
            delivered_at timestamptz,
            not_before timestamptz NOT NULL,
            taking integer NOT NULL,
            created_at timestamptz NOT NULL,
            created_by uuid,
            CONSTRAINT pk_webhook PRIMARY KEY (center_id, id),
            CONSTRAINT ck_webhook_state CHECK (state IN ('active', 'paused')),
            CONSTRAINT ck_webhook_pause_reason CHECK (pause_reason IN ('', 'asked', 'failing', 'gone')),
            CONSTRAINT ck_webhook_pause CHECK ((state = 'paused') = (pause_reason <> '')),
            CONSTRAINT ck_webhook_kinds CHECK (cardinality(kinds) BETWEEN 1 AND 40),
            CONSTRAINT fk_webhook_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT fk_webhook_created_by FOREIGN KEY (created_by) REFERENCES user_account (id)
        )
    """,
    "webhook_delivery": """
        CREATE TABLE webhook_delivery (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            webhook_id uuid NOT NULL,
            message_id varchar(100) NOT NULL,
            kind varchar(64) NOT NULL,
            version bigint,
            number bigint,
            attempt integer NOT NULL,
            at timestamptz NOT NULL,
            took_ms integer NOT NULL,
            status integer,
            outcome varchar(16) NOT NULL,
            reason varchar(100) NOT NULL,
            CONSTRAINT pk_webhook_delivery PRIMARY KEY (center_id, id),
            CONSTRAINT ck_webhook_delivery_outcome CHECK (outcome IN ('delivered', 'failed')),
            CONSTRAINT fk_webhook_delivery_center_id_webhook_id
                FOREIGN KEY (center_id, webhook_id) REFERENCES webhook (center_id, id) ON DELETE CASCADE
        )
    """,
    "notification_choice": """
        CREATE TABLE notification_choice (
            center_id uuid NOT NULL,
            user_id uuid NOT NULL,
            child_id uuid NOT NULL,
            kinds varchar[] NOT NULL,
            changed_at timestamptz NOT NULL,
            CONSTRAINT pk_notification_choice PRIMARY KEY (center_id, user_id, child_id),
            CONSTRAINT ck_notification_choice_kinds CHECK (cardinality(kinds) BETWEEN 1 AND 20),
            CONSTRAINT fk_notification_choice_user_id FOREIGN KEY (user_id) REFERENCES user_account (id)
        )
    """,
    "notice_position": """
        CREATE TABLE notice_position (
            center_id uuid NOT NULL,
            epoch uuid,
            version bigint NOT NULL,
            number bigint NOT NULL,
            CONSTRAINT pk_notice_position PRIMARY KEY (center_id)
        )
    """,
    "device_silence": """
        CREATE TABLE device_silence (
            center_id uuid NOT NULL,
            device_id uuid NOT NULL,
            since timestamptz NOT NULL,
            CONSTRAINT pk_device_silence PRIMARY KEY (center_id, device_id)
        )
    """,
    "center_event_head": """
        CREATE TABLE center_event_head (
            center_id uuid NOT NULL,
            number bigint NOT NULL,
            CONSTRAINT pk_center_event_head PRIMARY KEY (center_id)
        )
    """,
    "center_event": """
        CREATE TABLE center_event (
            center_id uuid NOT NULL,
            number bigint NOT NULL,
            id uuid NOT NULL,
            kind varchar(64) NOT NULL,
            entity_id text NOT NULL,
            child_id uuid,
            detail jsonb NOT NULL,
            at timestamptz NOT NULL,
            CONSTRAINT pk_center_event PRIMARY KEY (center_id, number)
        )
    """,
}
INDEXES = (
    "CREATE INDEX ix_webhook_not_before ON webhook (not_before) WHERE state = 'active'",
    "CREATE INDEX ix_webhook_delivery_center_id_webhook_id_id ON webhook_delivery (center_id, webhook_id, id)",
    "CREATE INDEX ix_webhook_delivery_at ON webhook_delivery (at)",
    "CREATE INDEX ix_center_event_at ON center_event (at)",
)
NOTE = """
    CREATE FUNCTION note_center_event(center uuid, what text, entity text, child uuid, detail jsonb, at timestamptz)
    RETURNS void LANGUAGE plpgsql AS $$
    DECLARE next bigint;
    BEGIN
        UPDATE center_event_head SET number = number + 1 WHERE center_id = center RETURNING number INTO next;
        IF FOUND THEN
            INSERT INTO center_event (center_id, number, id, kind, entity_id, child_id, detail, at)
            VALUES (center, next, gen_random_uuid(), what, entity, child, detail, at);
        END IF;
    END $$
"""
# A rebuild of projections takes all findings away and makes them again: nothing happened.
FUNCTIONS = {
    "booking": """
        CREATE FUNCTION note_booking() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM note_center_event(NEW.center_id, 'booking.changed', CAST(NEW.id AS text), NEW.child_id,
                jsonb_build_object('status', NEW.status, 'cause', NEW.cause, 'service_id', NEW.service_id,
                                   'day', NEW.day, 'starts_at', NEW.starts_at, 'ends_at', NEW.ends_at),
                greatest(NEW.created_at, NEW.changed_at, NEW.cancelled_at));
            RETURN NULL;
        END $$
    """,
    "absence": """
        CREATE FUNCTION note_absence() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM note_center_event(NEW.center_id,
                CASE WHEN NEW.withdrawn_at IS NOT NULL THEN 'absence.withdrawn'
                     WHEN TG_OP = 'INSERT' THEN 'absence.announced' ELSE 'absence.changed' END,
                CAST(NEW.id AS text), NEW.child_id,
                jsonb_build_object('first_day', NEW.first_day, 'last_day', NEW.last_day, 'absence_kind', NEW.kind),
                greatest(NEW.changed_at, NEW.withdrawn_at));
            RETURN NULL;
        END $$
    """,
    "review": """
        CREATE FUNCTION note_review() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE one review%ROWTYPE;
        BEGIN
            IF coalesce(current_setting('rollcall.rebuilding', true), '') = 'on' THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'DELETE' THEN one := OLD; ELSE one := NEW; END IF;
            PERFORM note_center_event(one.center_id,
                CASE WHEN TG_OP <> 'DELETE' AND one.state = 'open' THEN 'finding.opened' ELSE 'finding.settled' END,
                one.finding, CASE WHEN one.subject_kind = 'child' THEN one.subject_id END,
                jsonb_build_object('finding_kind', one.kind, 'severity', one.severity, 'answer', one.answer,
                                   'subject_id', one.subject_id, 'withdrawn', TG_OP = 'DELETE'),
                coalesce(one.found_at, transaction_timestamp()));
            RETURN NULL;
        END $$
    """,
}
TRIGGERS = (
    ("booking", "note_insert", "INSERT", ""),
    ("booking", "note_update", "UPDATE", "WHEN (OLD.status IS DISTINCT FROM NEW.status)"),
    ("absence", "note_insert", "INSERT", ""),
    ("absence", "note_update", "UPDATE", "WHEN (OLD IS DISTINCT FROM NEW)"),
    ("review", "note_insert", "INSERT", "WHEN (NEW.state = 'open')"),
    ("review", "note_update", "UPDATE", "WHEN (OLD.state IS DISTINCT FROM NEW.state)"),
    ("review", "note_delete", "DELETE", "WHEN (OLD.state = 'open')"),
)
# As migration 0016 has them.
EVERYWHERE = "(SELECT current_setting('rollcall.reach', true) = '*')"
SETTING = "nullif(coalesce(current_setting('rollcall.reach', true), ''), '*')"
REACH = f"CAST((SELECT CAST(string_to_array({SETTING}, ',') AS uuid[])) AS uuid[])"
RULE = f"{EVERYWHERE} OR center_id = ANY ({REACH})"


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES, NOTE, *FUNCTIONS.values()):
        op.execute(statement)
    op.execute("ALTER TABLE mail_outbox ADD COLUMN child_id uuid, ADD COLUMN user_id uuid")
    for table, name, event, when in TRIGGERS:
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED "
            f"FOR EACH ROW {when} EXECUTE FUNCTION note_{table}()"
        )
    for table in TABLES:
        op.execute(f"CREATE POLICY within_reach ON {table} USING ({RULE}) WITH CHECK ({RULE})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Take the step back; webhooks and their log of deliveries are gone with it."""
    op.execute("ALTER TABLE mail_outbox DROP COLUMN child_id, DROP COLUMN user_id")
    for table, name, _, _ in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for table in FUNCTIONS:
        op.execute(f"DROP FUNCTION note_{table}()")
    op.execute("DROP FUNCTION note_center_event(uuid, text, text, uuid, jsonb, timestamptz)")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")

"""Services with their terms, schedules and bookings.

Revision: 0011, after 0010.

None of it reaches a device, so nothing here is under the guard of synced tables (revision 0003). A server of the
version before knows nothing of it.
"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

revision: str = "0011"
down_revision = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# An exclusion constraint compares by operators of GiST. For equal ids these come with the extension btree_gist, which
# not every server has and not every owner may create; a range of one id overlaps a range of the same id and no other.
TYPE = "CREATE TYPE uuid_range AS RANGE (SUBTYPE = uuid)"
TABLES = {
    "service": """
        CREATE TABLE service (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            code varchar(64) NOT NULL,
            name varchar(200) NOT NULL,
            unit varchar(16) NOT NULL,
            currency varchar(3) NOT NULL,
            capacity integer NOT NULL,
            weekdays smallint NOT NULL,
            from_time time NOT NULL,
            to_time time NOT NULL,
            room_id uuid,
            needs_approval boolean NOT NULL,
            active boolean NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_service PRIMARY KEY (center_id, id),
            CONSTRAINT uq_service_center_id_code UNIQUE (center_id, code),
            CONSTRAINT ck_service_unit CHECK (unit IN ('session', 'hour', 'half_day', 'day', 'item')),
            CONSTRAINT ck_service_capacity CHECK (capacity BETWEEN 0 AND 1000),
            CONSTRAINT ck_service_weekdays CHECK (weekdays BETWEEN 1 AND 127),
            CONSTRAINT ck_service_currency CHECK (currency ~ '^[A-Z]{3}$'),
            CONSTRAINT fk_service_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT fk_service_center_id_room_id FOREIGN KEY (center_id, room_id) REFERENCES room (center_id, id)
        )
    """,
    "service_terms": """
        CREATE TABLE service_terms (
            center_id uuid NOT NULL,
            service_id uuid NOT NULL,
            effective_from date NOT NULL,
            version integer NOT NULL,
            price numeric(12, 3) NOT NULL,
            late_minute_price numeric(12, 3) NOT NULL,
            late_grace_min smallint NOT NULL,
            no_show_percent smallint NOT NULL,
            late_cancel_percent smallint NOT NULL,
            cancel_free_hours smallint NOT NULL,
            rounding_min smallint NOT NULL,
            requires_booking boolean NOT NULL,
            created_at timestamptz NOT NULL,
            made_by uuid NOT NULL,
            CONSTRAINT pk_service_terms PRIMARY KEY (center_id, service_id, effective_from),
            CONSTRAINT uq_service_terms_center_id_service_id_version UNIQUE (center_id, service_id, version),
            CONSTRAINT ck_service_terms_money CHECK (price >= 0 AND late_minute_price >= 0),
            CONSTRAINT ck_service_terms_no_show_percent CHECK (no_show_percent BETWEEN 0 AND 100),
            CONSTRAINT ck_service_terms_late_cancel_percent CHECK (late_cancel_percent BETWEEN 0 AND 100),
            CONSTRAINT ck_service_terms_late_grace_min CHECK (late_grace_min BETWEEN 0 AND 240),
            CONSTRAINT ck_service_terms_cancel_free_hours CHECK (cancel_free_hours BETWEEN 0 AND 2000),
            CONSTRAINT ck_service_terms_rounding_min CHECK (rounding_min BETWEEN 1 AND 60),
            CONSTRAINT fk_service_terms_center_id_service_id
                FOREIGN KEY (center_id, service_id) REFERENCES service (center_id, id),
            CONSTRAINT fk_service_terms_made_by FOREIGN KEY (made_by) REFERENCES user_account (id)
        )
    """,
    "schedule": """
        CREATE TABLE schedule (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            child_id uuid NOT NULL,
            service_id uuid NOT NULL,
            weekdays smallint NOT NULL,
            first_day date NOT NULL,
            last_day date,
            from_time time,
            to_time time,
            content bytea NOT NULL,
            created_at timestamptz NOT NULL,
            made_by uuid NOT NULL,
            CONSTRAINT pk_schedule PRIMARY KEY (center_id, id),
            CONSTRAINT ck_schedule_weekdays CHECK (weekdays BETWEEN 1 AND 127),
            CONSTRAINT ck_schedule_times CHECK ((from_time IS NULL) = (to_time IS NULL)),
            CONSTRAINT fk_schedule_center_id_child_id
                FOREIGN KEY (center_id, child_id) REFERENCES person (center_id, id),
            CONSTRAINT fk_schedule_center_id_service_id
                FOREIGN KEY (center_id, service_id) REFERENCES service (center_id, id),
            CONSTRAINT fk_schedule_made_by FOREIGN KEY (made_by) REFERENCES user_account (id)
        )
    """,
    "booking": """
        CREATE TABLE booking (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            child_id uuid NOT NULL,
            service_id uuid NOT NULL,
            schedule_id uuid,
            day date NOT NULL,
            starts_at timestamptz NOT NULL,
            ends_at timestamptz NOT NULL,
            status varchar(24) NOT NULL,
            source varchar(16) NOT NULL,
            cause varchar(16) NOT NULL,
            chargeable boolean NOT NULL,
            reason varchar(200) NOT NULL,
            content bytea NOT NULL,
            answer_by timestamptz,
            created_at timestamptz NOT NULL,
            made_by uuid,
            changed_at timestamptz,
            changed_by uuid,
            cancelled_at timestamptz,
            CONSTRAINT pk_booking PRIMARY KEY (center_id, id),
            CONSTRAINT ck_booking_status CHECK (status IN ('requested', 'waitlisted', 'confirmed', 'declined',
                'cancelled_by_parent', 'cancelled_by_centre', 'attended', 'no_show')),
            CONSTRAINT ck_booking_source CHECK (source IN ('parent', 'staff', 'schedule')),
            CONSTRAINT ck_booking_cause CHECK (cause IN ('', 'parent', 'centre', 'closure', 'schedule_ended',
                'enrolment_ended', 'expired')),
            CONSTRAINT ck_booking_times CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '26 hours'),
            CONSTRAINT ex_booking_child_id_service_id EXCLUDE USING gist (
                uuid_range(center_id, center_id, '[]') WITH &&,
                uuid_range(child_id, child_id, '[]') WITH &&,
                uuid_range(service_id, service_id, '[]') WITH &&,
                tstzrange(starts_at, ends_at) WITH &&
            ) WHERE (status NOT IN ('declined', 'cancelled_by_parent', 'cancelled_by_centre')),
            CONSTRAINT fk_booking_center_id_child_id
                FOREIGN KEY (center_id, child_id) REFERENCES person (center_id, id),
            CONSTRAINT fk_booking_center_id_service_id
                FOREIGN KEY (center_id, service_id) REFERENCES service (center_id, id),
            CONSTRAINT fk_booking_center_id_schedule_id
                FOREIGN KEY (center_id, schedule_id) REFERENCES schedule (center_id, id),
            CONSTRAINT fk_booking_made_by FOREIGN KEY (made_by) REFERENCES user_account (id),
            CONSTRAINT fk_booking_changed_by FOREIGN KEY (changed_by) REFERENCES user_account (id)
        )
    """,
}
INDEXES = (
    "CREATE INDEX ix_schedule_center_id_child_id ON schedule (center_id, child_id)",
    "CREATE INDEX ix_schedule_center_id_service_id ON schedule (center_id, service_id)",
    "CREATE INDEX ix_booking_center_id_service_id_starts_at ON booking (center_id, service_id, starts_at)",
    "CREATE INDEX ix_booking_center_id_child_id_starts_at ON booking (center_id, child_id, starts_at)",
    "CREATE INDEX ix_booking_center_id_starts_at ON booking (center_id, starts_at)",
    """
        CREATE UNIQUE INDEX uq_booking_schedule_id_day ON booking (center_id, schedule_id, day)
        WHERE schedule_id IS NOT NULL AND cause <> 'closure'
    """,
)


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (TYPE, *TABLES.values(), *INDEXES):
        op.execute(statement)
    app_role = op.get_bind().scalar(text("SELECT quote_ident(nullif(current_setting('rollcall.app_role', true), ''))"))
    if app_role:
        # What happened to a booking is told by its row, and one that is gone tells nothing.
        op.execute(f"REVOKE DELETE, TRUNCATE ON {', '.join(TABLES)} FROM {app_role}")


def downgrade() -> None:
    """Take the step back."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP TYPE uuid_range")

"""Centres, people, accounts and devices.

Revision: 0001, the first.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = {
    "organisation": """
        CREATE TABLE organisation (
            id uuid NOT NULL,
            name varchar(200) NOT NULL,
            CONSTRAINT pk_organisation PRIMARY KEY (id),
            CONSTRAINT uq_organisation_name UNIQUE (name)
        )
    """,
    "center": """
        CREATE TABLE center (
            id uuid NOT NULL,
            organisation_id uuid NOT NULL,
            code varchar(64) NOT NULL,
            name varchar(200) NOT NULL,
            time_zone varchar(64) NOT NULL,
            opens_at time,
            closes_at time,
            CONSTRAINT pk_center PRIMARY KEY (id),
            CONSTRAINT fk_center_organisation_id FOREIGN KEY (organisation_id) REFERENCES organisation (id),
            CONSTRAINT uq_center_code UNIQUE (code)
        )
    """,
    "room": """
        CREATE TABLE room (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            external_id varchar(64) NOT NULL,
            name varchar(200) NOT NULL,
            capacity integer NOT NULL,
            sort integer NOT NULL,
            CONSTRAINT pk_room PRIMARY KEY (center_id, id),
            CONSTRAINT uq_room_center_id_external_id UNIQUE (center_id, external_id),
            CONSTRAINT ck_room_capacity CHECK (capacity BETWEEN 0 AND 1000),
            CONSTRAINT fk_room_center_id FOREIGN KEY (center_id) REFERENCES center (id)
        )
    """,
    "role": """
        CREATE TABLE role (
            id integer NOT NULL,
            name varchar(64) NOT NULL,
            CONSTRAINT pk_role PRIMARY KEY (id),
            CONSTRAINT uq_role_name UNIQUE (name)
        )
    """,
    "user_account": """
        CREATE TABLE user_account (
            id uuid NOT NULL,
            organisation_id uuid NOT NULL,
            email varchar(200) NOT NULL,
            display_name varchar(200) NOT NULL,
            password_hash varchar(256) NOT NULL,
            is_active boolean NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_user_account PRIMARY KEY (id),
            CONSTRAINT ck_user_account_email CHECK (email = lower(email)),
            CONSTRAINT fk_user_account_organisation_id FOREIGN KEY (organisation_id)
                REFERENCES organisation (id),
            CONSTRAINT uq_user_account_email UNIQUE (email)
        )
    """,
    "membership": """
        CREATE TABLE membership (
            id uuid NOT NULL,
            user_id uuid NOT NULL,
            center_id uuid,
            role_id integer NOT NULL,
            CONSTRAINT pk_membership PRIMARY KEY (id),
            CONSTRAINT uq_membership_user_id_center_id_role_id
                UNIQUE NULLS NOT DISTINCT (user_id, center_id, role_id),
            CONSTRAINT ck_membership_scope CHECK ((center_id IS NULL) = (role_id = 4)),
            CONSTRAINT fk_membership_user_id FOREIGN KEY (user_id) REFERENCES user_account (id),
            CONSTRAINT fk_membership_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT fk_membership_role_id FOREIGN KEY (role_id) REFERENCES role (id)
        )
    """,
    "person": """
        CREATE TABLE person (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            kind varchar(16) NOT NULL,
            external_id varchar(64) NOT NULL,
            given_name varchar(200) NOT NULL,
            family_name varchar(200) NOT NULL,
            preferred_name varchar(200) NOT NULL,
            birth_date date,
            phone varchar(64) NOT NULL,
            email varchar(200) NOT NULL,
            CONSTRAINT pk_person PRIMARY KEY (center_id, id),
            CONSTRAINT uq_person_center_id_kind_external_id UNIQUE (center_id, kind, external_id),
            CONSTRAINT ck_person_kind CHECK (kind IN ('child', 'adult', 'staff')),
            CONSTRAINT fk_person_center_id FOREIGN KEY (center_id) REFERENCES center (id)
        )
    """,
    "child_profile": """
        CREATE TABLE child_profile (
            center_id uuid NOT NULL,
            child_id uuid NOT NULL,
            home_room_id uuid,
            enrolled boolean NOT NULL,
            CONSTRAINT pk_child_profile PRIMARY KEY (center_id, child_id),
            CONSTRAINT fk_child_profile_center_id_child_id FOREIGN KEY (center_id, child_id)
                REFERENCES person (center_id, id),
            CONSTRAINT fk_child_profile_center_id_home_room_id FOREIGN KEY (center_id, home_room_id)
                REFERENCES room (center_id, id)
        )
    """,
    "alert": """
        CREATE TABLE alert (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            external_id varchar(64) NOT NULL,
            child_id uuid NOT NULL,
            kind varchar(16) NOT NULL,
            severity varchar(16) NOT NULL,
            text varchar(500) NOT NULL,
            CONSTRAINT pk_alert PRIMARY KEY (center_id, id),
            CONSTRAINT fk_alert_center_id_child_id FOREIGN KEY (center_id, child_id)
                REFERENCES person (center_id, id),
            CONSTRAINT uq_alert_center_id_external_id UNIQUE (center_id, external_id),
            CONSTRAINT ck_alert_kind
                CHECK (kind IN
                    ('allergy', 'medical', 'medication', 'dietary', 'custody', 'behaviour', 'note')),
            CONSTRAINT ck_alert_severity CHECK (severity IN ('info', 'attention', 'critical'))
        )
    """,
    "relationship": """
        CREATE TABLE relationship (
            center_id uuid NOT NULL,
            child_id uuid NOT NULL,
            adult_id uuid NOT NULL,
            kind varchar(64) NOT NULL,
            legal_guardian boolean NOT NULL,
            CONSTRAINT pk_relationship PRIMARY KEY (center_id, child_id, adult_id),
            CONSTRAINT fk_relationship_center_id_child_id FOREIGN KEY (center_id, child_id)
                REFERENCES person (center_id, id),
            CONSTRAINT fk_relationship_center_id_adult_id FOREIGN KEY (center_id, adult_id)
                REFERENCES person (center_id, id)
        )
    """,
    "pickup_authorisation": """
        CREATE TABLE pickup_authorisation (
            center_id uuid NOT NULL,
            id uuid NOT NULL,
            child_id uuid NOT NULL,
            adult_id uuid NOT NULL,
            status varchar(16) NOT NULL,
            valid_from date,
            valid_to date,
            CONSTRAINT pk_pickup_authorisation PRIMARY KEY (center_id, id),
            CONSTRAINT fk_pickup_authorisation_center_id_child_id FOREIGN KEY (center_id, child_id)
                REFERENCES person (center_id, id),
            CONSTRAINT fk_pickup_authorisation_center_id_adult_id FOREIGN KEY (center_id, adult_id)
                REFERENCES person (center_id, id),
            CONSTRAINT uq_pickup_authorisation_center_id_child_id_adult_id
                UNIQUE (center_id, child_id, adult_id),
            CONSTRAINT ck_pickup_authorisation_status
                CHECK (status IN ('authorised', 'temporary', 'not_authorised', 'suspended')),
            CONSTRAINT ck_pickup_authorisation_validity CHECK (valid_to >= valid_from)
        )
    """,
    "staff_profile": """
        CREATE TABLE staff_profile (
            center_id uuid NOT NULL,
            person_id uuid NOT NULL,
            role varchar(16) NOT NULL,
            counts_in_ratio boolean NOT NULL,
            CONSTRAINT pk_staff_profile PRIMARY KEY (center_id, person_id),
            CONSTRAINT fk_staff_profile_center_id_person_id FOREIGN KEY (center_id, person_id)
                REFERENCES person (center_id, id),
            CONSTRAINT ck_staff_profile_role CHECK (role IN ('manager', 'educator', 'assistant', 'support'))
        )
    """,
    "device": """
        CREATE TABLE device (
            id uuid NOT NULL,
            center_id uuid NOT NULL,
            name varchar(200) NOT NULL,
            state varchar(16) NOT NULL,
            public_key bytea NOT NULL,
            app_version varchar(64) NOT NULL,
            created_at timestamptz NOT NULL,
            last_seen_at timestamptz,
            CONSTRAINT pk_device PRIMARY KEY (id),
            CONSTRAINT uq_device_center_id_id UNIQUE (center_id, id),
            CONSTRAINT ck_device_state CHECK (state IN ('active', 'suspended', 'revoked')),
            CONSTRAINT ck_device_public_key CHECK (octet_length(public_key) = 32),
            CONSTRAINT fk_device_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT uq_device_public_key UNIQUE (public_key)
        )
    """,
    "enrolment_code": """
        CREATE TABLE enrolment_code (
            selector varchar(8) NOT NULL,
            secret_hash bytea NOT NULL,
            center_id uuid NOT NULL,
            device_name varchar(200) NOT NULL,
            expires_at timestamptz NOT NULL,
            tries_left integer NOT NULL,
            used_by uuid,
            CONSTRAINT pk_enrolment_code PRIMARY KEY (selector),
            CONSTRAINT ck_enrolment_code_tries_left CHECK (tries_left >= 0),
            CONSTRAINT fk_enrolment_code_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT fk_enrolment_code_used_by FOREIGN KEY (used_by) REFERENCES device (id)
        )
    """,
    "device_nonce": """
        CREATE TABLE device_nonce (
            device_id uuid NOT NULL,
            nonce bytea NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT pk_device_nonce PRIMARY KEY (device_id, nonce),
            CONSTRAINT fk_device_nonce_device_id FOREIGN KEY (device_id) REFERENCES device (id)
        )
    """,
}

INDEXES = (
    "CREATE INDEX ix_center_organisation_id ON center (organisation_id)",
    "CREATE INDEX ix_user_account_organisation_id ON user_account (organisation_id)",
    "CREATE INDEX ix_membership_center_id ON membership (center_id)",
    "CREATE INDEX ix_child_profile_center_id_home_room_id ON child_profile (center_id, home_room_id)",
    "CREATE INDEX ix_alert_center_id_child_id ON alert (center_id, child_id)",
    "CREATE INDEX ix_relationship_center_id_adult_id ON relationship (center_id, adult_id)",
    "CREATE INDEX ix_pickup_authorisation_center_id_adult_id ON pickup_authorisation (center_id, adult_id)",
    "CREATE INDEX ix_enrolment_code_center_id ON enrolment_code (center_id)",
)

# Written out, not taken from the code: a migration says for ever what it said when it ran.
ROLES = ((1, "parent"), (2, "staff"), (3, "manager"), (4, "admin"))


def upgrade() -> None:
    """Bring the schema forward."""
    for statement in (*TABLES.values(), *INDEXES):
        op.execute(statement)
    role = sa.table("role", sa.column("id", sa.Integer), sa.column("name", sa.String))
    op.bulk_insert(role, [{"id": number, "name": name} for number, name in ROLES])


def downgrade() -> None:
    """Take the step back."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")

"""Sessions of people, invitations, recovery of passwords, and what bounds tries.

Revision: 0007, after 0006.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = {
    # Neither a refresh token nor anything from which one follows: two digests, and the salt with which the second
    # token is made from the first.
    "user_session": """
        CREATE TABLE user_session (
            id uuid NOT NULL,
            user_id uuid NOT NULL,
            client varchar(200) NOT NULL,
            created_at timestamptz NOT NULL,
            last_used_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            current_digest bytea NOT NULL,
            previous_digest bytea,
            salt bytea,
            CONSTRAINT pk_user_session PRIMARY KEY (id),
            CONSTRAINT fk_user_session_user_id FOREIGN KEY (user_id) REFERENCES user_account (id),
            CONSTRAINT ck_user_session_digests CHECK (
                octet_length(current_digest) = 32 AND (previous_digest IS NULL) = (salt IS NULL)
            )
        )
    """,
    "invitation": """
        CREATE TABLE invitation (
            id uuid NOT NULL,
            center_id uuid NOT NULL,
            email varchar(200) NOT NULL,
            role_id integer NOT NULL,
            invited_by uuid NOT NULL,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT pk_invitation PRIMARY KEY (id),
            CONSTRAINT uq_invitation_center_id_email UNIQUE (center_id, email),
            CONSTRAINT ck_invitation_email CHECK (email = lower(email)),
            CONSTRAINT fk_invitation_center_id FOREIGN KEY (center_id) REFERENCES center (id),
            CONSTRAINT fk_invitation_role_id FOREIGN KEY (role_id) REFERENCES role (id),
            CONSTRAINT fk_invitation_invited_by FOREIGN KEY (invited_by) REFERENCES user_account (id)
        )
    """,
    # An address somebody typed, known or not: what becomes of it is decided when nobody waits for the answer.
    "recovery_request": """
        CREATE TABLE recovery_request (
            id uuid NOT NULL,
            email varchar(200) NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_recovery_request PRIMARY KEY (id)
        )
    """,
    "password_recovery": """
        CREATE TABLE password_recovery (
            id uuid NOT NULL,
            user_id uuid NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT pk_password_recovery PRIMARY KEY (id),
            CONSTRAINT fk_password_recovery_user_id FOREIGN KEY (user_id) REFERENCES user_account (id)
        )
    """,
    "throttle": """
        CREATE TABLE throttle (
            key bytea NOT NULL,
            full_at timestamptz NOT NULL,
            CONSTRAINT pk_throttle PRIMARY KEY (key),
            CONSTRAINT ck_throttle_key CHECK (octet_length(key) = 16)
        )
    """,
}
INDEXES = (
    "CREATE INDEX ix_user_session_user_id ON user_session (user_id)",
    "CREATE INDEX ix_user_session_expires_at ON user_session (expires_at)",
    "CREATE INDEX ix_password_recovery_user_id ON password_recovery (user_id)",
    "CREATE INDEX ix_throttle_full_at ON throttle (full_at)",
)


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("ALTER TABLE user_account ADD COLUMN version integer NOT NULL DEFAULT 1")
    for statement in (*TABLES.values(), *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    """Take the step back."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE user_account DROP COLUMN version")

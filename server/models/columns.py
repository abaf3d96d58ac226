"""The few column types and naming rules that all tables share."""

from enum import StrEnum
from typing import Final

from sqlalchemy import CheckConstraint, DateTime, Uuid
from sqlmodel import SQLModel

# Every constraint has a name that can be guessed, so that a later migration can drop it.
SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

UUID_TEXT: Final = Uuid(as_uuid=False)
"""A UUID that is its canonical lower-case text in Python, as it travels everywhere else."""

TIMESTAMP: Final = DateTime(timezone=True)
"""`timestamptz`; an aware datetime in UTC in Python."""

TableRow = SQLModel
"""Any row of any table."""

NAME_MAX: Final = 200
TEXT_MAX: Final = 500
CODE_MAX: Final = 64


def one_of(column: str, choices: type[StrEnum]) -> CheckConstraint:
    """Give the rule that a text column holds only the values of an enumeration."""
    values = ", ".join(f"'{choice.value}'" for choice in choices)
    return CheckConstraint(f"{column} IN ({values})", name=column)

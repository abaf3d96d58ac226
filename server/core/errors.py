"""The errors of the domain, drawn as a tree; each has a stable code and knows nothing of HTTP.

RollcallError
├── InvalidInput              what was sent breaks a rule; `problems` says where
├── Unauthenticated           nobody known is asking
│   └── InvalidToken          a token was shown and is not good (core/tokens.py)
├── NotEntitled               somebody known is asking for something that is not theirs to do
├── NotFound                  no such thing, or none that the asker may know of
├── Conflict                  the request was right, the state of the world is not
├── PreconditionRequired      a change must say which state of the thing it is meant for
├── PreconditionFailed        the thing is not what the asker saw any more
├── RateLimited               too many tries; `retry_after_s` says when again
├── Unavailable               a part that is needed does not answer; trying later helps
│   └── DatabaseUnavailable   PostgreSQL is away, full, read only or too slow
└── SetupError                the operator has something to repair before the program can run
    ├── SettingsError         a setting is missing, wrong or unsafe
    ├── DataDirectoryInUse    another server owns the data directory
    └── EmbeddedPostgresError the database in the data directory cannot be started
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field: a JSON pointer (RFC 6901) and a sentence without the value."""

    pointer: str
    detail: str


class RollcallError(Exception):
    """The root: `code` is stable and documented, the message is for people and says what to do next."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str = "") -> None:
        """Keep `detail`; without one the title of the class stands in."""
        super().__init__(detail or self.title)

    @property
    def detail(self) -> str:
        """The sentence for people; holds no personal data."""
        return str(self.args[0])


class InvalidInput(RollcallError):
    """What was sent breaks a rule."""

    code = "invalid_input"
    title = "The input is not valid"

    def __init__(self, detail: str = "", problems: tuple[FieldProblem, ...] = ()) -> None:
        """Keep the list of problems beside the sentence."""
        super().__init__(detail)
        self.problems = problems


class Unauthenticated(RollcallError):
    """Nobody known is asking."""

    code = "unauthenticated"
    title = "Sign in first"


class InvalidToken(Unauthenticated):
    """A token was shown and is not good; the reason is not told."""

    code = "invalid_token"
    title = "The token is not valid or has expired"


class NotEntitled(RollcallError):
    """Somebody known is asking for something that is not theirs to do."""

    code = "not_entitled"
    title = "This is not yours to do"


class NotFound(RollcallError):
    """There is no such thing, or none that the asker may know of."""

    code = "not_found"
    title = "There is no such thing"


class Conflict(RollcallError):
    """The request was right, the state of the world is not."""

    code = "conflict"
    title = "This cannot be done in the present state"


class PreconditionRequired(RollcallError):
    """A change must say which state of the thing it is meant for."""

    code = "precondition_required"
    title = "Say which state you want to change: read it first, and send its ETag as If-Match"


class PreconditionFailed(RollcallError):
    """The thing is not what the asker saw any more."""

    code = "precondition_failed"
    title = "Somebody changed this meanwhile: read it again, and decide anew"


class RateLimited(RollcallError):
    """Too many tries in too short a time."""

    code = "rate_limited"
    title = "Too many tries; wait a little"

    def __init__(self, detail: str = "", *, retry_after_s: int = 60) -> None:
        """Keep how many seconds to wait."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(RollcallError):
    """A part that is needed does not answer; trying later helps."""

    code = "unavailable"
    title = "The service is not available for the moment; try again"


class DatabaseUnavailable(Unavailable):
    """PostgreSQL is away, full, read only or too slow."""

    code = "database_unavailable"
    title = "The database is not available for the moment; try again"


class SetupError(RollcallError):
    """The operator has something to repair before the program can run."""

    code = "setup"
    title = "The server cannot start"


class SettingsError(SetupError):
    """A setting is missing, wrong or unsafe."""

    code = "settings"
    title = "A setting is not right"


class DataDirectoryInUse(SetupError):
    """Another server owns the data directory; `pid` is its process, or None when it is not known."""

    code = "data_directory_in_use"
    title = "Another server uses this data directory"

    def __init__(self, detail: str = "", *, pid: int | None = None) -> None:
        """Keep the process id of the owner."""
        super().__init__(detail)
        self.pid = pid


class EmbeddedPostgresError(SetupError):
    """The database in the data directory cannot be started."""

    code = "embedded_postgres"
    title = "The embedded PostgreSQL cannot be started"

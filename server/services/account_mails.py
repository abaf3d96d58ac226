"""The mails about accounts, in words. A token stands in none of them as long as it waits: a mark does."""

from server.core.mailed_tokens import TokenKind, mark
from server.models.accounts import RoleId
from server.services.mail import Mail
from server.services.notifications import one_line

ROLE_WORDS = {
    RoleId.PARENT: "a parent",
    RoleId.STAFF: "a member of staff",
    RoleId.MANAGER: "a manager",
    RoleId.ADMIN: "an administrator of all centres",
}
_NOT_ASKED = "If this was not you, do nothing: without this link nothing changes."


def recovery_mail(row_id: str, email: str, base_url: str) -> Mail:
    """Give the mail with which somebody can set a new password."""
    return Mail(
        dedupe_key=f"recovery:{row_id}",
        recipient=email,
        subject="Set a new password for Rollcall",
        body=_lines(
            "Somebody asked to set a new password for the account with this e-mail address.",
            "Open this link within an hour; it works once:",
            f"{base_url}/reset#token={mark(TokenKind.RECOVERY, row_id)}",
            "A new password signs the account out everywhere.",
            _NOT_ASKED,
        ),
    )


def password_changed_mail(event_id: str, email: str, base_url: str) -> Mail:
    """Give the mail that tells somebody that their password is another now."""
    return Mail(
        dedupe_key=f"password_changed:{event_id}",
        recipient=email,
        subject="Your password for Rollcall was changed",
        body=_lines(
            "The password of the account with this e-mail address was changed, and other devices were signed out.",
            f"If this was not you, ask for a new password at {base_url} at once, and tell a manager of your centre.",
        ),
    )


def invitation_mail(row_id: str, email: str, center_name: str, role: RoleId, base_url: str) -> Mail:
    """Give the mail with which somebody can join a centre."""
    name = one_line(center_name)
    return Mail(
        dedupe_key=f"invitation:{row_id}",
        recipient=email,
        subject=f"{name} invites you to Rollcall",
        body=_lines(
            f"{name} invites you to Rollcall as {ROLE_WORDS[role]}.",
            "Open this link within seven days; it works once:",
            f"{base_url}/invitation#token={mark(TokenKind.INVITATION, row_id)}",
            "If you do not know this centre, do nothing.",
        ),
    )


def export_made_mail(row_id: str, email: str, base_url: str) -> Mail:
    """Give the mail that tells somebody that their export can be taken, with the code for it."""
    return Mail(
        dedupe_key=f"export_made:{row_id}",
        recipient=email,
        subject="The data that you asked Rollcall for is ready",
        body=_lines(
            "The export that you asked for is ready. It can be taken once, within seven days, by nobody but you:",
            f"sign in as always at {base_url} or in your app, choose the export, and give this code:",
            mark(TokenKind.EXPORT, row_id),
            "If you did not ask for an export, change your password.",
        ),
    )


def added_mail(event_id: str, email: str, center_name: str, role: RoleId, base_url: str) -> Mail:
    """Give the mail that tells somebody who has an account that they are at a centre now."""
    name = one_line(center_name)
    return Mail(
        dedupe_key=f"added:{event_id}",
        recipient=email,
        subject=f"You are at {name} now",
        body=_lines(
            f"{name} added your account of Rollcall as {ROLE_WORDS[role]}.",
            f"Sign in as always to see it: {base_url}",
            "If you do not know this centre, tell an administrator of yours.",
        ),
    )


def _lines(*paragraphs: str) -> str:
    return "\n\n".join(paragraphs) + "\n"

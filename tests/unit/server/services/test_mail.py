"""What can be a mail, how long is waited, and what managers read: never a name."""

import itertools

import pytest

from server.models.rooms import Center
from server.services.mail import Mail
from server.services.mail_sender import backoff_s
from server.services.notifications import FINDINGS_EACH_MAX, critical_findings
from sync.findings import CRITICAL_FINDINGS

GOOD = {"dedupe_key": "k", "recipient": "a@example.org", "subject": "Hello", "body": "Open Rollcall."}
COLLECTORS = "two_collectors:e1:e2"
RELEASED = "released_on_stale_authorisation:e3"
URL = "https://rollcall.example.org"


def center(name: str = "Elm Lane") -> Center:
    return Center(id="c1", organisation_id="o1", code="elm", name=name, time_zone="Europe/Berlin")


@pytest.mark.parametrize("field", ["dedupe_key", "recipient", "subject"])
@pytest.mark.parametrize(
    "bad", ["", "a\r\nBcc: b@example.org", "a\nb", "a\rb", "a\0b", "a\x85b", "a\u2028b", "x" * 301]
)
def test_a_header_that_is_none_or_would_be_two_is_refused(field: str, bad: str) -> None:
    with pytest.raises(ValueError, match=field.replace("_", " ")):
        Mail(**{**GOOD, field: bad})


@pytest.mark.parametrize("bad", ["", "x" * 10_001, "a\0b"])
def test_a_body_that_is_empty_or_endless_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="body"):
        Mail(**{**GOOD, "body": bad})
    assert Mail(**{**GOOD, "body": "x" * 10_000, "subject": "Größe 🌻"}).subject == "Größe 🌻"


def test_waits_double_up_to_an_hour_with_full_jitter() -> None:
    assert [backoff_s(attempts=attempts, luck=0.5) for attempts in (1, 2, 3, 7, 8, 500)] == [
        15,
        30,
        60,
        960,
        1800,
        1800,
    ]
    assert backoff_s(attempts=20, luck=0.0) == 1
    assert backoff_s(attempts=20, luck=1 - 1e-9) < 3600


def test_each_manager_is_told_of_each_finding_with_a_key_of_its_own() -> None:
    mails = critical_findings(center(), [COLLECTORS, RELEASED, COLLECTORS], ["a@x.org", "b@x.org"], URL)
    assert len(mails) == 4
    assert len({mail.dedupe_key for mail in mails}) == 4
    assert {mail.center_id for mail in mails} == {"c1"}
    again = critical_findings(center(), [RELEASED], ["a@x.org"], URL)
    assert again[0].dedupe_key in {mail.dedupe_key for mail in mails}, "told alone or with others, it is the same"


def test_the_keys_of_other_centres_managers_and_findings_are_others() -> None:
    other = Center(id="c2", organisation_id="o1", code="oak", name="Oak", time_zone="Europe/Berlin")
    keys = [
        critical_findings(where, [key], [who], URL)[0].dedupe_key
        for where, key, who in itertools.product((center(), other), (COLLECTORS, RELEASED), ("a@x.org", "b@x.org"))
    ]
    assert len(set(keys)) == 8
    assert not [key for key in keys if "@" in key]


def test_a_manager_reads_what_kind_of_thing_happened_where_and_where_to_look() -> None:
    (mail,) = critical_findings(center(), [RELEASED], ["a@x.org"], URL)
    assert mail.subject == "Elm Lane: something critical for you to look at"
    assert mail.body == (
        "Something critical happened at Elm Lane:\n"
        "\n"
        "- A child was handed over to somebody who was no longer allowed to collect it. The desk did not know yet.\n"
        "\n"
        "Open Rollcall to see who and when, and to answer: https://rollcall.example.org\n"
        "\n"
        "You get this mail because you are a manager of this centre. It names nobody on purpose: mail is read on many "
        "screens.\n"
    )


def test_many_findings_at_once_are_one_mail_that_counts_them() -> None:
    keys = [f"two_collectors:e{number}" for number in range(FINDINGS_EACH_MAX)] + [RELEASED, "unheard_of:e9"]
    (mail,) = critical_findings(center(), keys, ["a@x.org"], URL)
    assert mail.subject == "Elm Lane: 5 critical things for you to look at"
    assert "different people. (3 times)" in mail.body
    assert "no longer allowed" in mail.body
    assert "Something was recorded that a manager must look at." in mail.body


def test_every_critical_kind_has_words_of_its_own_and_no_mail_holds_a_part_of_a_key() -> None:
    bodies = set()
    for kind in CRITICAL_FINDINGS:
        (mail,) = critical_findings(center(), [f"{kind}:Zoë O'Neill:0199-event"], ["a@x.org"], URL)
        assert "manager must look" not in mail.body
        for told in (mail.subject, mail.body, mail.dedupe_key):
            assert not [word for word in ("Zoë", "O'Neill", "0199", kind) if word in told]
        bodies.add(mail.body)
    assert len(bodies) == len(CRITICAL_FINDINGS)


@pytest.mark.parametrize("name", ["Elm\r\nBcc: b@example.org", "\u2028", "x" * 200, "Haus „Größe“"])
def test_no_name_of_a_centre_breaks_a_mail(name: str) -> None:
    (mail,) = critical_findings(center(name), ["x" * 400], ["a@x.org"], URL)
    assert mail.subject.isprintable()


def test_a_centre_without_managers_gets_no_mail() -> None:
    assert critical_findings(center(), [COLLECTORS], [], URL) == []

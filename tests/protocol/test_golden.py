"""A device and a server of protocol 1 get along with today's: links that their programs recorded are played again."""

from collections.abc import Callable, Sequence
from typing import Final

import pytest

from sync import events as on
from tests.protocol.protocol_one import Message, UnreadableError, read_from_device, read_from_server
from tests.protocol.transcripts import NAMES, DeviceStage, ServerStage, Stage, Step, fingerprint, load

# The files are what protocol 1 was; recording them anew would prove nothing about devices that are out there.
RECORDED: Final = "e19d219f5848aa834044da09cee505844d58a94a2cd574880e6afbabd6db1801"
SERVER_PLAYED: Final = [name for name in NAMES if load(name).crafted != "server"]
DEVICE_PLAYED: Final = [name for name in NAMES if load(name).crafted != "device"]
# A device of protocol 1 closed with 4409 there and waited for a person; today's goes on under another incarnation.
HEALED_TODAY: Final = ("fork_server_is_longer", "fork_same_length")
# What today's peer may say otherwise, by story ("" for all) and field, and why a peer of protocol 1 can take it.
MAY_DIFFER: Final[dict[tuple[str, str, str], str]] = {
    ("", "Hello", "protocol_max"): "a newer device offers more; a test below sees that it still offers 1",
    ("another_life", "Applied", "queue_depth"): "outcomes that the server lost are taken back, so these entries wait",
}
COME_BACK_LATER: Final = 2


Read = Callable[[bytes], Message]


def said(stage: Stage, read: Read, step: Step) -> Message:
    """Take the next message of this kind; the streams of a link may overtake each other."""
    for frame in stage.said:
        if isinstance(frame, bytes) and read(frame).name == step.message:
            stage.said.remove(frame)
            return read(frame)
    raise AssertionError(f"no {step.message} at {step.at_ms} ms, but {stage.said}")


def same(story: str, one: Message, other: Message) -> bool:
    """Whether two messages are equal, but for what may differ."""
    names = one.fields.keys() | other.fields.keys()
    free = {field for about, message, field in MAY_DIFFER if about in ("", story) and message == one.name}
    return one.name == other.name and all(one.fields[name] == other.fields[name] for name in names - free)


def play(stage: Stage, story: str, steps: Sequence[Step], *, role: str) -> None:
    """Play one side: what the other one sent is given to it, what it said must be what was recorded."""
    read = read_from_device if role == "device" else read_from_server
    for step in steps:
        stage.come_to(step.at_ms)
        if step.step == role or (role == "server" and step.step == "lost"):
            found, recorded = said(stage, read, step), read(step.frame)
            assert same(story, found, recorded), f"{found}\ninstead of\n{recorded}"
        elif step.step in ("device", "server"):
            stage.tell(on.FrameReceived(step.frame))
        elif step.step == "closed":
            # What is under way when the other side hangs up never arrives.
            assert step.by != role or list(stage.said) == [step.code]
            stage.hang_up()
        elif step.step != "lost":
            assert step.step != "cut" or not stage.said
            stage.happens(step)


@pytest.mark.parametrize("name", SERVER_PLAYED)
def test_a_server_of_today_answers_a_device_of_protocol_1_as_its_own_did(name: str) -> None:
    transcript = load(name)
    stage = ServerStage(transcript.setup)
    play(stage, name, transcript.steps, role="server")
    head, journals = stage.store.state.head, stage.store.state.journals
    assert (head.epoch, head.version, head.hash.hex()) == transcript.end.log
    assert {"/".join(key): len(entries) for key, entries in journals.items()} == transcript.end.stored_entries


@pytest.mark.parametrize("name", [name for name in DEVICE_PLAYED if name not in HEALED_TODAY])
def test_a_device_of_today_talks_to_a_server_of_protocol_1_as_its_own_did(name: str) -> None:
    transcript = load(name)
    stage = DeviceStage(transcript.setup)
    play(stage, name, transcript.steps, role="device")
    progress = stage.replica.progress.read()
    assert (progress.epoch, progress.version, progress.hash.hex()) == transcript.end.replica
    assert stage.replica.journal.queue_depth() == transcript.end.device_waiting
    advice = [read_from_server(step.frame).fields for step in transcript.steps if step.message == "Advice"]
    assert stage.advised == [each["delay_ms"] for each in advice if each["kind"] == COME_BACK_LATER]


@pytest.mark.parametrize("name", HEALED_TODAY)
def test_where_a_device_of_protocol_1_gave_up_todays_goes_on_under_another_incarnation(name: str) -> None:
    transcript = load(name)
    stage = DeviceStage(transcript.setup)
    *until_welcome, given_up = transcript.steps
    assert (given_up.by, given_up.code) == ("device", 4409)
    play(stage, name, until_welcome, role="device")
    (push,) = (read_from_device(frame) for frame in stage.said if isinstance(frame, bytes))
    assert push.name == "Push"
    entries = push.fields["entries"]
    assert {entry["incarnation"] for entry in entries}.isdisjoint({transcript.setup.incarnation})
    recorded = [step.draft for step in transcript.steps if step.step == "record"]
    told = {entry["event_id"]: (entry["kind"], entry["body"].decode()) for entry in entries}
    assert all(told[draft["event_id"]] == (draft["kind"], draft["body"]) for draft in recorded)


def test_a_device_of_today_still_offers_protocol_1() -> None:
    transcript = load("up_to_date")
    stage = DeviceStage(transcript.setup)
    stage.happens(next(step for step in transcript.steps if step.step == "open"))
    (hello,) = (read_from_device(frame) for frame in stage.said if isinstance(frame, bytes))
    assert hello.fields["protocol_min"] == 1 <= hello.fields["protocol_max"]


def test_the_transcripts_are_those_that_were_recorded() -> None:
    assert fingerprint() == RECORDED


@pytest.mark.parametrize("name", NAMES)
def test_the_reader_of_protocol_1_takes_what_was_recorded_and_refuses_what_was_refused(name: str) -> None:
    reads = {"device": read_from_device, "server": read_from_server, "lost": read_from_server}
    is_refused = name.startswith("undecodable")
    for step in load(name).steps:
        if step.step not in reads:
            continue
        if is_refused and step.message == "crafted":
            with pytest.raises(UnreadableError):
                reads[step.step](step.frame)
        else:
            assert reads[step.step](step.frame).name == step.message or step.message == "crafted"

"""The test vectors of docs/protocol.md are what the code computes, and what the prose says."""

import hashlib
import json
import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync import change_log, digest, journal, limits, messages
from sync.change_log import ChangeDraft, Operation
from sync.codec import encode
from sync.journal import Draft, Entry, EntryOutcome, Outcome, ParkReason
from sync.messages import Applied, Heartbeat, Plan, Proof, Push, PushStored
from tests.protocol.document import section, table


def vectors(told: dict[str, Any]) -> dict[str, str]:
    """Compute every vector from the inputs that the document gives."""
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["private_key"]))
    head = journal.genesis(told["device_id"], told["incarnation"])
    found = {
        "public key": key.public_key().public_bytes_raw().hex(),
        "journal genesis": head.hash.hex(),
    }
    entries = []
    for number, fields in enumerate(told["entries"], start=1):
        drafted = Draft(**{**fields, "body": fields["body"].encode()})
        entry = journal.seal(head, drafted, key.sign)
        found[f"entry {number}: canonical"] = journal.canonical(entry).hex()
        found[f"entry {number}: hash"] = entry.hash.hex()
        found[f"entry {number}: signature"] = entry.signature.hex()
        head = journal.head_after(entry)
        entries.append(entry)
    return found | _log_vectors(told) | _proof_vectors(told, key) | _frame_vectors(told, entries)


def _proof_vectors(told: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, str]:
    material = messages.proof_material(told["device_id"], bytes.fromhex(told["nonce"]))
    return {"link proof: signed bytes": material.hex(), "link proof: signature": key.sign(material).hex()}


def _log_vectors(told: dict[str, Any]) -> dict[str, str]:
    head = change_log.genesis(told["center_id"], told["epoch"])
    found = {"log genesis": head.hash.hex()}
    drafts = [
        ChangeDraft(**{**fields, "body": fields["body"].encode(), "operation": Operation(fields["operation"])})
        for fields in told["changes"]
    ]
    _, rows = change_log.number(head, drafts, [bytes.fromhex(salt) for salt in told["salts"]])
    for row in rows:
        found[f"version {row.change.version}: commitment"] = row.change.commitment.hex()
        found[f"version {row.change.version}: hash"] = row.hash.hex()
    return found | {"digest": _digest(told, [row.change.commitment for row in rows]).hex()}


def _digest(told: dict[str, Any], commitments: list[bytes]) -> bytes:
    pairs = zip(told["digest_records"], commitments, strict=True)
    held = [
        digest.Held("reference", kind, record, version, commitment) for (kind, record, version), commitment in pairs
    ]
    (found,) = digest.wire_digests(digest.sums(held))
    return found.digest


def _greetings(told: dict[str, Any], last: Entry) -> tuple[messages.Hello, messages.Welcome]:
    position = messages.JournalPosition("i", 3, last.previous_hash)
    hello = messages.Hello(
        protocol_min=1,
        protocol_max=2,
        app_version="1.0",
        schema_version=2,
        incarnation=last.incarnation,
        epoch=told["epoch"],
        version=300,
        hash=last.hash,
        journal_seq=last.seq,
        journal_hash=last.hash,
        queue_depth=2,
        wall_ms=1_790_000_000_000,
        monotonic_ms=4_200,
        older=(position,),
        digests=(messages.BucketDigest("reference", last.hash),),
        staged=messages.StagedSnapshot(told["epoch"], 310, 2, 5),
    )
    welcome = messages.Welcome(
        protocol=2,
        epoch=told["epoch"],
        head_version=310,
        plan=Plan.RESUME,
        stored_seq=1,
        stored_hash=last.previous_hash,
        heartbeat_interval_ms=5_000,
        push_entries_max=500,
        server_wall_ms=1_790_000_000_700,
        echo_monotonic_ms=4_200,
        older=(position,),
        lease_ms=limits.LEASE_MS,
        differing=("reference",),
    )
    return hello, welcome


def _frame_vectors(told: dict[str, Any], entries: list[Entry]) -> dict[str, str]:
    last = entries[-1]
    hello, welcome = _greetings(told, last)
    outcomes = (
        EntryOutcome(1, entries[0].event_id, Outcome.APPLIED, ParkReason.NOT_PARKED, 41),
        EntryOutcome(2, last.event_id, Outcome.PARKED, ParkReason.UNKNOWN_REFERENCE, 0),
    )
    return {
        "frame: Heartbeat(version=300, queue_depth=2)": encode(Heartbeat(version=300, queue_depth=2)).hex(),
        "frame: Hello with one older journal, one digest and a staged snapshot": encode(hello).hex(),
        "frame: Welcome with plan RESUME": encode(welcome).hex(),
        "frame: Challenge": encode(messages.Challenge(bytes.fromhex(told["nonce"]))).hex(),
        "frame: Proof, with the signature above": _proof_frame(told).hex(),
        'frame: RepairRequest("reference")': encode(messages.RepairRequest("reference")).hex(),
        'frame: ForkFound("i", 7)': encode(messages.ForkFound("i", 7)).hex(),
        'frame: Applied(epoch="e", version=7)': encode(Applied(epoch="e", version=7)).hex(),
        "frame: Push of both entries": encode(Push(tuple(entries))).hex(),
        "frame: PushStored, applied at 41 and parked for UNKNOWN_REFERENCE": encode(
            PushStored(through_seq=2, hash=last.hash, outcomes=outcomes)
        ).hex(),
    }


def _proof_frame(told: dict[str, Any]) -> bytes:
    nonce = bytes.fromhex(told["nonce"])
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["private_key"]))
    return encode(Proof(nonce, key.sign(messages.proof_material(told["device_id"], nonce))))


def test_the_vectors_are_what_the_code_computes() -> None:
    inputs = re.search(r"^```json\n(.*?)^```", section("Test vectors"), re.MULTILINE | re.DOTALL)
    assert inputs
    told = {row[0]: row[1] for row in table(section("Test vectors"))}
    assert told == vectors(json.loads(inputs[1]))


def test_the_hashes_are_what_the_prose_says() -> None:
    """Recompute the first of each kind by hand, so that code and document cannot be wrong together."""
    inputs = re.search(r"^```json\n(.*?)^```", section("Test vectors"), re.MULTILINE | re.DOTALL)
    assert inputs
    given = json.loads(inputs[1])
    told = {row[0]: bytes.fromhex(row[1]) for row in table(section("Test vectors"))}
    device, life = given["device_id"].encode(), given["incarnation"].encode()
    assert told["journal genesis"] == _sha(b"rollcall.journal.v1\0" + device + b"\0" + life)
    assert told["entry 1: hash"] == _sha(told["journal genesis"] + told["entry 1: canonical"])
    assert told["entry 2: hash"] == _sha(told["entry 1: hash"] + told["entry 2: canonical"])
    center, epoch = given["center_id"].encode(), given["epoch"].encode()
    assert told["log genesis"] == _sha(b"rollcall.change_log.v1\0" + center + b"\0" + epoch)
    change = given["changes"][0]
    commitment = _sha(bytes.fromhex(given["salts"][0]) + change["body"].encode())
    assert told["version 1: commitment"] == commitment
    entity, entity_id = change["entity"].encode(), change["entity_id"].encode()
    chained = b"".join(
        (
            told["log genesis"],
            (1).to_bytes(8, "big"),
            len(entity).to_bytes(2, "big"),
            entity,
            len(entity_id).to_bytes(2, "big"),
            entity_id,
            b"\x01",
            commitment,
        )
    )
    assert told["version 1: hash"] == _sha(chained)
    pairs = zip(given["digest_records"], (commitment, told["version 2: commitment"]), strict=True)
    numbers = [
        int.from_bytes(_sha(f"{kind}\0{record}\0{version}\0".encode() + committed), "big")
        for (kind, record, version), committed in pairs
    ]
    assert told["digest"] == (sum(numbers) % 2**256).to_bytes(32, "big")
    text = f"rollcall-link-proof-v1\n{given['device_id']}\n{given['nonce']}"
    assert told["link proof: signed bytes"] == text.encode("ascii")


def _sha(material: bytes) -> bytes:
    return hashlib.sha256(material).digest()

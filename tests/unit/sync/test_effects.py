"""What a session may ask of the world: each effect names its lane, and a lane holds one effect at a time."""

from typing import Any, get_args

import pytest

from sync import effects as do
from sync.effects import Lane

LANES: dict[Lane | None, set[Any]] = {
    Lane.UPLOAD: {
        do.ReadEntries, do.StoreOutcomes, do.ReopenEntries, do.BeginIncarnation, do.DestroyReplica, do.StoreBatch
    },
    Lane.DOWNLOAD: {
        do.ReadProgress, do.StorePage, do.StoreSnapshotPart, do.LoadDevice, do.LoadPage, do.LoadSnapshot, do.LoadBucket
    },
    Lane.RIGHTS: {do.CheckProof},
    None: {
        do.SendFrame, do.CloseLink, do.NoteClock, do.NotePhase, do.KeepAdvice, do.SignChallenge, do.IssueChallenge,
        do.RecordApplied,
    },
}  # fmt: skip
ALL: list[Any] = [*get_args(do.DeviceEffect), *get_args(do.ServerEffect)]


@pytest.mark.parametrize("effect", ALL)
def test_each_effect_is_in_its_lane(effect: Any) -> None:
    assert effect in LANES[effect.lane]


def test_no_effect_is_forgotten() -> None:
    assert set(ALL) == set().union(*LANES.values())

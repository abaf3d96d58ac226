"""Luck from a seed: one generator for each concern, so that more luck for links never changes what users do."""

import random
import uuid
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Luck:
    """The luck of one concern of one seed; the same in every process, whatever PYTHONHASHSEED says."""

    def __init__(self, seed: int, concern: str) -> None:
        self._random = random.Random(f"{concern}:{seed}")

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def fraction(self) -> float:
        return self._random.random()

    def between(self, low: int, high: int) -> int:
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self._random.randrange(len(choices))]

    def octets(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self._random.sample(items, len(items))

"""Memory with a bound: by bytes for what is encoded once, by number and time for what is remembered."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Least recently used values go first once `bytes_max` is exceeded."""

    def __init__(self, bytes_max: int) -> None:
        """Hold at most so many bytes."""
        self._bytes_max = bytes_max
        self._bytes = 0
        self._held: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Give a value that is still held."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Hold a value of `size` bytes; one that is larger than all may be is not held."""
        old = self._held.pop(key, None)
        self._bytes += size - (old[1] if old else 0)
        self._held[key] = (value, size)
        while self._bytes > self._bytes_max and self._held:
            _, (_, dropped) = self._held.popitem(last=False)
            self._bytes -= dropped


class Kept(Generic[Value]):
    """At most `values_max` values by name, each with the time (monotonic ms) when it was last of use."""

    def __init__(self, values_max: int) -> None:
        """Keep nothing yet."""
        self._values_max = values_max
        self._kept: OrderedDict[str, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def get(self, name: str) -> Value | None:
        """Give a value without saying that it was of use."""
        found = self._kept.get(name)
        return None if found is None else found[0]

    def items(self) -> Iterator[tuple[str, Value]]:
        """Go through all of them as they are now."""
        return iter([(name, value) for name, (value, _) in self._kept.items()])

    def put(self, name: str, value: Value, now_ms: int) -> None:
        """Keep a value; the one that was of no use for longest may go for it."""
        self._kept[name] = (value, now_ms)
        self._kept.move_to_end(name)
        if len(self._kept) > self._values_max:
            self._kept.popitem(last=False)

    def replace(self, name: str, value: Value) -> None:
        """Change a value that is kept, which is no use of it."""
        if name in self._kept:
            self._kept[name] = (value, self._kept[name][1])

    def touch(self, name: str, now_ms: int) -> None:
        """Say that a value is of use now."""
        if name in self._kept:
            self.put(name, self._kept[name][0], now_ms)

    def pop(self, name: str) -> None:
        """Forget a value."""
        self._kept.pop(name, None)

    def forget(self, before_ms: int) -> None:
        """Forget what was last of use before that time."""
        while self._kept and next(iter(self._kept.values()))[1] < before_ms:
            self._kept.popitem(last=False)

"""Memory with a bound: what goes first, and what is still there."""

from server.services.caches import Cache, Kept


def test_a_cache_forgets_what_was_used_least_recently() -> None:
    cache: Cache[str] = Cache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("A", None, "C")
    cache.put("a", "larger", 11)
    assert (cache.get("a"), cache.get("c")) == (None, None)
    cache.put("d", "D", 10)
    assert cache.get("d") == "D"


def test_what_is_kept_is_bounded_in_number() -> None:
    kept: Kept[int] = Kept(3)
    for number in range(5):
        kept.put(str(number), number, now_ms=number)
    assert list(kept.items()) == [("2", 2), ("3", 3), ("4", 4)]
    assert len(kept) == 3


def test_what_is_of_use_stays() -> None:
    kept: Kept[int] = Kept(2)
    kept.put("a", 1, now_ms=0)
    kept.put("b", 2, now_ms=1)
    kept.touch("a", now_ms=2)
    kept.touch("nothing", now_ms=2)
    kept.put("c", 3, now_ms=3)
    assert list(kept.items()) == [("a", 1), ("c", 3)]


def test_what_was_of_no_use_for_long_is_forgotten() -> None:
    kept: Kept[int] = Kept(9)
    for number in range(4):
        kept.put(str(number), number, now_ms=number)
    kept.touch("0", now_ms=9)
    kept.forget(before_ms=3)
    assert [name for name, _ in kept.items()] == ["3", "0"]


def test_a_new_value_is_no_use_of_it() -> None:
    kept: Kept[int] = Kept(9)
    kept.put("a", 1, now_ms=0)
    kept.replace("a", 2)
    kept.replace("b", 2)
    assert (kept.get("a"), kept.get("b")) == (2, None)
    kept.forget(before_ms=1)
    assert kept.get("a") is None


def test_what_is_popped_is_gone() -> None:
    kept: Kept[int] = Kept(9)
    kept.put("a", 1, now_ms=0)
    kept.pop("a")
    kept.pop("a")
    assert kept.get("a") is None

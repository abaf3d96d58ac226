"""Passwords: the rules, the costs, and that a stranger learns nothing."""

import asyncio

import pytest
from passlib.hash import argon2

from server.core.errors import InvalidInput
from server.core.passwords import Passwords, check_new_password

GOOD = "seven quiet otters swim"


@pytest.fixture
def passwords() -> Passwords:
    return Passwords()


async def test_the_right_password_is_taken_and_a_wrong_one_is_not(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(GOOD, stored)
    for wrong in (GOOD + " ", GOOD[:-1], "", GOOD.upper(), GOOD + "x" * 300, "\x00" + GOOD, "\ud800" * 20):
        assert not await passwords.verify(wrong, stored)


async def test_the_same_password_has_two_hashes(passwords: Passwords) -> None:
    assert await passwords.hash(GOOD) != await passwords.hash(GOOD)


async def test_two_ways_to_type_the_same_letters_are_one_password(passwords: Passwords) -> None:
    assert await passwords.verify("cafe\u0301 under the bridge", await passwords.hash("café under the bridge"))


@pytest.mark.parametrize(
    "stored",
    ["", "x", "$argon2id$", "$2b$12$" + "a" * 53, "$argon2id$v=19$m=19456,t=2,p=1$!!$!!", "a" * 9999],
)
async def test_a_damaged_hash_lets_nobody_in_and_breaks_nothing(passwords: Passwords, stored: str) -> None:
    assert not await passwords.verify(GOOD, stored)
    assert passwords.needs_update(stored)


async def test_a_hash_of_other_costs_is_due_for_renewal(passwords: Passwords) -> None:
    weak = argon2.using(type="ID", memory_cost=8192, time_cost=1, parallelism=1).hash(GOOD)
    assert passwords.needs_update(weak)
    assert await passwords.verify(GOOD, weak)
    assert not passwords.needs_update(await passwords.hash(GOOD))


async def test_a_flood_of_logins_leaves_the_event_loop_free(passwords: Passwords) -> None:
    stored = await passwords.hash(GOOD)
    flood = [asyncio.create_task(passwords.verify("not the password", stored)) for _ in range(12)]
    turns = 0
    while not all(task.done() for task in flood):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 12
    assert [task.result() for task in flood] == [False] * 12


async def test_an_unknown_account_costs_the_same_work(passwords: Passwords) -> None:
    await passwords.dummy_verify()
    first = passwords._dummy_hash
    await passwords.dummy_verify()
    assert passwords._dummy_hash == first
    assert not passwords.needs_update(first)


@pytest.mark.parametrize(
    "password",
    [
        "", "fourteen chars", "x" * 257, "a" * 40, "abcabcabcabcabcabc", "abcdefghijklmnopqr",
        "98765432109876543210",
        "passwordpassword", "PasswordPassword", "password-1234567", "rollcall rollcall 1",
        "sunny.meadows.2026",
        "with a \x00 inside it", "tab\there and there", "qwertyuiopasdfgh",
    ],
)  # fmt: skip
def test_a_bad_new_password_is_refused_with_a_reason(password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_new_password(password, ("Sunny", "Meadows"))
    assert refused.value.problems[0].pointer == "/password"
    assert not password or password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [GOOD, "ünïcödé ist auch erlaubt", "x7Gq" * 3 + "-long enough", "🦦 otters in the quiet river"],
)
def test_a_long_password_needs_no_composition(password: str) -> None:
    check_new_password(password, ("Sunny", "Meadows"))


async def test_a_password_that_breaks_the_rules_is_never_hashed(passwords: Passwords) -> None:
    with pytest.raises(InvalidInput):
        await passwords.hash("short")

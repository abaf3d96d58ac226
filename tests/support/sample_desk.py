"""A made-up centre on a school morning: 24 children in three rooms, with the cases a desk meets."""

from kiosk.services.desk import Collector
from sync.records import AlertRecord
from tests.support.clock import FakeClock
from tests.support.fake_desk import MINUTE_MS, Child, FakeDesk

MORNING_MS = 1_789_973_880_000  # 2026-09-21T06:58:00Z, which is 07:58 in Lisbon

NUTS = AlertRecord(kind="allergy", severity="critical", text="Peanuts: EpiPen in the red bag, call 112")
MILK = AlertRecord(kind="dietary", severity="attention", text="No cow's milk")
COURT = AlertRecord(kind="custody", severity="critical", text="Court order of 3 May: father may not collect")

SILVA_ADULTS = (
    Collector("adult-1", "Maria Silva", "mother", "authorised", "+351 912 000 101"),
    Collector("adult-2", "Rui Costa", "grandfather", "temporary", "+351 912 000 102"),
    Collector("adult-3", "João Pinto", "father", "not_authorised", ""),
    Collector("adult-4", "Helena Silva", "aunt", "not_today", "+351 912 000 104"),
)
ONE_ADULT = (Collector("adult-9", "Teresa Lopes", "mother", "authorised", "+351 912 000 109"),)

OTHERS = (
    "Afonso Almeida", "Alice Barros", "Beatriz Cardoso", "Carlota Dias", "Constança Esteves", "Diogo Faria",
    "Duarte Figueiredo", "Eva Freitas", "Filipa Garcia", "Gabriel Leal", "Gustavo Lima", "Helena Machado",
    "Íris Matos", "Jaime Moura", "Lara Neves", "Leonor Nunes", "Lourenço Pacheco", "Mafalda Pires",
    "Tomás Reis", "Vicente Vaz",
)  # fmt: skip


def sample_children() -> list[Child]:
    """The children, each with a room and adults."""
    rooms = ("room-1", "room-2", "room-3")
    named = [
        Child("ana", "Ana", "Silva", "room-1", (COURT,), SILVA_ADULTS),
        Child("ines", "Inês", "Gonçalves", "room-2", (), ONE_ADULT),
        Child("martim", "Martim", "Sousa", "room-2", (NUTS, MILK), ONE_ADULT),
        Child("zoe", "Zoë", "Brandão", "room-3", (), ()),
    ]
    others = [
        Child(f"child-{number}", given, family, rooms[number % 3], (), ONE_ADULT)
        for number, (given, family) in enumerate(name.split() for name in OTHERS)
    ]
    return named + others


def many_children(number: int) -> list[Child]:
    """A large centre: every given name with every family name, as far as needed."""
    names = [name.split() for name in OTHERS]
    pairs = [(one[0], other[1]) for other in names for one in names]
    doubled = [(given, f"{family} {turn}") for turn in ("", "Vieira", "Rocha") for given, family in pairs]
    return [
        Child(f"child-{at}", given, family.strip(), f"room-{at % 3 + 1}", (), ONE_ADULT)
        for at, (given, family) in enumerate(doubled[:number])
    ]


async def sample_morning() -> tuple[FakeDesk, FakeClock]:
    """The centre at 07:58: some are in, one has gone home again, most have not come."""
    clock = FakeClock(wall_ms=MORNING_MS - 30 * MINUTE_MS)
    desk = FakeDesk(sample_children(), clock)
    for child_id in ("child-1", "child-4", "martim", "child-7", "child-11", "child-2", "child-15"):
        clock.advance_ms(4 * MINUTE_MS)
        recorded = await desk.check_in(child_id)
        await desk.settle(recorded.event_id)
    recorded = await desk.check_out("child-7", adult_id="adult-9")
    await desk.settle(recorded.event_id)
    clock.set_wall_ms(MORNING_MS)
    await desk.go_online()
    return desk, clock

"""The books of a small server on PostgreSQL: two centres with rosters, a desk that recorded, and both roles' units."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.database import create_engine, parts_of, with_database
from server.core.ids import Ids
from server.core.pictures import Pictures
from server.repositories.unit_of_work import UnitsOfWork
from server.services.absences import AbsenceKind, Absences, Announcement, Terms
from server.services.access import Centers, User
from server.services.barcodes import Barcodes, NewBarcode
from server.services.center_days import CenterDays, Days
from server.services.photos import Photos, Upload, Whose, WhoseKind
from server.services.ratio_rules import RatioRules, Wish
from server.services.roster_file import SourceFile
from server.services.roster_import import RosterImport
from sync.ratio_presets import PRESETS
from sync.ratio_rules import RatioRelaxation, RelaxationKind
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk, make_desk, push
from tests.support.clock import FakeClock
from tests.support.photo_files import telephone_photo
from tests.support.postgres import FreshDatabase, PostgresServer

ROSTER = """\
record,external_id,center,name,time_zone,given_name,family_name,birth_date,room,child,adult,status,phone,kind,severity,text,role,organisation,relationship
center,elm,,Elm Lane,Europe/Berlin,,,,,,,,,,,,,Hill Nurseries,
center,oak,,Oak Hill,Europe/Lisbon,,,,,,,,,,,,,Hill Nurseries,
room,BEES,elm,Bumblebees,,,,,,,,,,,,,,,
room,OWLS,elm,Owls,,,,,,,,,,,,,,,
room,FOXES,oak,Foxes,,,,,,,,,,,,,,,
child,C-1,elm,,,Zoë,O'Neill,2023-04-05,BEES,,,,,,,,,,
child,C-2,elm,,,Ana,O'Neill,2021-01-02,OWLS,,,,,,,,,,
child,C-3,oak,,,Tariq,Aziz,2022-06-07,FOXES,,,,,,,,,,
guardian,G-1,elm,,,Deniz,O'Neill,,,,,,0123,,,,,,
guardian,G-2,elm,,,Ines,Lopes,,,,,,0456,,,,,,
guardian,G-3,oak,,,Noor,Aziz,,,,,,0789,,,,,,
pickup,,elm,,,,,,,C-1,G-1,authorised,,,,,,,mother
pickup,,elm,,,,,,,C-1,G-2,not_authorised,,,,,,,aunt
pickup,,elm,,,,,,,C-2,G-1,authorised,,,,,,,mother
pickup,,oak,,,,,,,C-3,G-3,authorised,,,,,,,father
alert,A-1,elm,,,,,,,C-1,,,,allergy,critical,Peanuts,,,
alert,A-2,elm,,,,,,,C-1,,,,dietary,info,No milk,,,
staff,S-1,elm,,,Ruth,Appiah,,,,,,,,,,educator,,
"""


@dataclass
class Books:
    """The tables, and ways to write them; `world` works as the server's role, `owner` as that of the tables."""

    database: FreshDatabase
    world: PostgresWorld
    owner: PostgresWorld
    server: PostgresServer

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    @property
    def app_role(self) -> str:
        return parts_of(self.database.urls.app).role

    @property
    def units(self) -> UnitsOfWork:
        return self.owner.units

    def new_id(self) -> str:
        return self._ids.new()

    def __post_init__(self) -> None:
        self._ids = Ids(self.clock)

    async def take_in(self, roster: str = ROSTER) -> None:
        """Import a roster; every row must be good."""
        imports = RosterImport(self.world.units, self.new_id, self.clock)
        report = await imports.run([SourceFile("roster.csv", roster.encode())])
        assert report.stored, report.problems

    async def center(self, code: str) -> str:
        return str(await self.value("SELECT id FROM center WHERE code = :code", code=code))

    async def person(self, external_id: str, code: str = "elm") -> str:
        statement = "SELECT id FROM person WHERE external_id = :external_id AND center_id = :center_id"
        return str(await self.value(statement, external_id=external_id, center_id=await self.center(code)))

    async def desk(self, code: str = "elm", key: Ed25519PrivateKey | None = None) -> Desk:
        """A new kiosk of a centre."""
        return await make_desk(self.world, await self.center(code), key)

    async def morning(self, code: str = "elm", child: str = "C-1", key: Ed25519PrivateKey | None = None) -> Desk:
        """A kiosk that checked a child in and out again, and its parked entry."""
        desk, child_id = await self.desk(code, key), await self.person(child, code)
        await push(self.world, desk, desk.check_in(child_id), desk.check_out(child_id, minute=30))
        await push(self.world, desk, desk.write("somewhat", "unheard_of", b"{}"))
        return desk

    async def rename(self, code: str, external_id: str, family_name: str, *, room: str = "") -> None:
        """Change a child by importing it again, so that its older record is superseded."""
        line = f"child,{external_id},{code},Zoë,{family_name},2023-04-05,{room}\n"
        await self.take_in(f"record,external_id,center,given_name,family_name,birth_date,room\n{line}")

    async def keep_calendar(self, code: str) -> None:
        """A closure and a lock of a centre."""
        nobody = User("", "", "", "", is_active=True, grants=())
        center = await Centers(self.world.units).by_code(code)
        days = CenterDays(self.world.units, self.clock, self.new_id)
        await days.close(center, nobody, Days(date(2026, 12, 24), date(2026, 12, 26), "Christmas"))
        await days.lock(center, nobody, Days(date(2026, 8, 1), date(2026, 8, 31)))

    async def announce(self, code: str, child: str) -> None:
        """A child of a centre will be ill."""
        nobody = User("", "", "", "", is_active=True, grants=())
        center = await Centers(self.world.units).by_code(code)
        said = Announcement(self.new_id(), date(2026, 9, 22), date(2026, 9, 23), Terms(AbsenceKind.SICK))
        absences = Absences(self.world.units, self.clock)
        await absences.announce(center, nobody, await self.person(child, code), said)

    async def show(self, code: str, person_id: str, kind: WhoseKind = WhoseKind.CHILD) -> None:
        """A photo of somebody at a centre is kept."""
        nobody = User("", "", "", "", is_active=True, grants=())
        center = await Centers(self.world.units).by_code(code)
        whose = Whose(kind, person_id)
        photos = Photos(self.world.units, self.clock, Pictures())
        await photos.put(center, nobody, whose, Upload(telephone_photo(), "image/jpeg"), None)

    async def give_card(self, code: str, person_id: str, text: str = "4012345678901") -> None:
        """A child of a centre is found by a card."""
        nobody = User("", "", "", "", is_active=True, grants=())
        center = await Centers(self.world.units).by_code(code)
        cards = Barcodes(self.world.units, self.clock, "k" * 32)
        await cards.add(center, nobody, Whose(WhoseKind.CHILD, person_id), NewBarcode(self.new_id(), text))

    async def rule_ratio(self, code: str) -> None:
        """Give a centre the rules of a preset, with fewer adults in its first hour."""
        first_hour = RatioRelaxation(kind=RelaxationKind.OPENING.value, minutes=60, factor_percent=200)
        rules = msgspec.to_builtins(msgspec.structs.replace(PRESETS["england"], relaxations=(first_hour,)))
        center = await Centers(self.world.units).by_code(code)
        await RatioRules(self.world.units, self.clock).put(center, Wish("2026-01-01", rules=rules), actor="")

    async def value(self, statement: str, **parameters: object) -> Any:
        async with self.owner.engine.connect() as connection:
            return await connection.scalar(text(statement), parameters)

    async def rows(self, statement: str, **parameters: object) -> list[Row[Any]]:
        async with self.owner.engine.connect() as connection:
            return list(await connection.execute(text(statement), parameters))

    async def tamper(self, statement: str, **parameters: object) -> int:
        """Change rows behind everybody's back: no trigger and no reference stops it; returns how many changed."""
        engine = create_engine(self._admin_url, pool_size=1)
        try:
            async with engine.begin() as connection:
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
                return (await connection.execute(text(statement), parameters)).rowcount
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def tampering(self) -> AsyncIterator["Tampering"]:
        """For many changes of which each is undone: one transaction of the superuser, which nobody else sees."""
        engine = create_engine(self._admin_url, pool_size=1)
        try:
            async with engine.connect() as connection, connection.begin():
                await connection.execute(text("SET LOCAL session_replication_role = replica"))
                yield Tampering(connection)
        finally:
            await engine.dispose()

    @property
    def _admin_url(self) -> str:
        return with_database(self.server.admin_url, self.database.name)


class Tampering:
    """Changes rows and takes it back; what reads through it sees the rows as they are changed."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """As that of the units of work."""
        yield self._connection

    async def rows(self, statement: str, **parameters: object) -> list[Row[Any]]:
        return list(await self._connection.execute(text(statement), parameters))

    @asynccontextmanager
    async def changed(self, *statements: str, **parameters: object) -> AsyncIterator[None]:
        """Run statements that change at least a row each, and undo them at the end of the block."""
        async with self._connection.begin_nested() as unchanged:
            for statement in statements:
                assert (await self._connection.execute(text(statement), parameters)).rowcount >= 1, statement
            yield
            await unchanged.rollback()


@asynccontextmanager
async def books_on(server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    """Open the books of a database, with nothing in them yet."""
    app = create_engine(database.urls.app)
    owner = create_engine(database.urls.owner, statement_timeout_ms=0)
    try:
        yield Books(database, make_world(app), make_world(owner), server)
    finally:
        await app.dispose()
        await owner.dispose()

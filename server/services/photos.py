"""Photos of children and adults: drawn anew before they are kept, seen by whom they concern, small on every desk."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import NotFound, PreconditionFailed, PreconditionRequired
from server.core.etags import Expected, etag_of
from server.core.pictures import Drawn, Mosaic, PictureRefused, Pictures
from server.models.photos import BODY_BYTES_MAX, Photo
from server.models.rooms import Center
from server.repositories import people, photos, pickups
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.adults import find_adult
from server.services.child_files import Part, find_child, read_child
from server.services.guardian_rights import child_of
from sync.pictures import pack
from sync.records import PICTURE_COLOURS_MAX, PICTURE_SIDE, Entity, encode_record

__all__ = ["Photos", "Shown", "Upload", "Whose", "WhoseKind", "find_person"]

_NONE: Final = "There is no photo of this person"
_log = structlog.get_logger(__name__)


class WhoseKind(StrEnum):
    """Of whom there are photos."""

    CHILD = "child"
    ADULT = "adult"


@dataclass(frozen=True, slots=True)
class Whose:
    """A person of a centre."""

    kind: WhoseKind
    id: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came, with what it says it is (a media type in lower case, without parameters)."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo as it is kept, in points; `set_at` is when somebody sent it."""

    body: bytes
    width: int
    height: int
    tag: str
    set_at: datetime

    @property
    def etag(self) -> str:
        """The tag of this photo."""
        return etag_of("photo", self.tag)


class Photos:
    """Keeps photos."""

    def __init__(self, units: UnitsOfWork, clock: Clock, pictures: Pictures) -> None:
        """Write through `units`; `pictures` draws what was sent anew."""
        self._units = units
        self._clock = clock
        self._pictures = pictures

    async def one(self, center: Center, reader: User, whose: Whose) -> Shown:
        """Give the photo of somebody to those who work at the centre. Raises NotFound."""
        async with self._units.begin() as unit:
            if whose.kind is WhoseKind.CHILD:
                await read_child(unit, reader, center.id, whose.id, Part.PHOTO)
            else:
                await find_adult(unit, center.id, whose.id)
            return await _photo(unit, center.id, whose.id)

    async def tag_of_child(self, center: Center, child_id: str) -> str:
        """Say which photo of a child there is, for a page that shows it; empty when there is none."""
        async with self._units.begin() as unit:
            return await photos.tag_of(unit.session, center.id, child_id)

    async def of_my_child(self, user: User, child_id: str) -> Shown:
        """Give a guardian the photo of their child. Raises NotFound."""
        async with self._units.begin() as unit:
            child = await child_of(unit.connection, user, child_id)
            await read_child(unit, user, child.center_id, child_id, Part.PHOTO)
            return await _photo(unit, child.center_id, child_id)

    async def of_my_pickup(self, user: User, child_id: str, pickup_id: str) -> Shown:
        """Give a guardian the photo of whom they announced to collect their child.

        Raises:
            NotFound: it is no child of theirs, they announced no such pick-up, or there is no photo.

        """
        async with self._units.begin() as unit:
            child = await child_of(unit.connection, user, child_id)
            row = await pickups.find(unit.session, child.center_id, pickup_id)
            if row is None or row.child_id != child_id or row.announced_by != user.id:
                raise NotFound("You announced no such pick-up")
            return await _photo(unit, child.center_id, row.adult_id)

    async def put(self, center: Center, user: User, whose: Whose, upload: Upload, expected: Expected | None) -> Shown:
        """Keep a photo of somebody, and let every desk have a small picture; the same again changes nothing.

        `expected` None: there is none yet.

        Raises:
            NotFound: the centre has no such child or adult.
            PictureRefused: the file is no picture that can be kept.
            PreconditionRequired: there is another photo, and nothing was expected.
            PreconditionFailed: it is not the one that is expected, or there is none.

        """
        # Outside of any transaction: it takes a while.
        drawn, mosaic = await self._pictures.draw(
            upload.body, upload.media_type, side=PICTURE_SIDE, colours=PICTURE_COLOURS_MAX
        )
        fresh = self._row(center.id, user, whose, drawn, mosaic)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_person(unit, center.id, whose)
            standing = await photos.find(unit.session, center.id, whose.id)
            if standing is not None and standing.tag == fresh.tag:
                return _shown(standing)
            _check_expected(standing, expected)
            if standing is not None:
                await people.remove(unit.session, standing)
            await people.add(unit.session, [fresh])
            unit.put(center.id, Entity.PICTURE, whose.id, pack(mosaic.palette, mosaic.points))
        _log.info("photo_kept", center=center.id, person=whose.id, bytes=len(fresh.body))
        return _shown(fresh)

    async def remove(self, center: Center, user: User, whose: Whose, expected: Expected) -> None:
        """Take a photo away, here and from every desk.

        Raises:
            NotFound: the centre has no such child or adult, or there is no photo.
            PreconditionFailed: it is not the one that is expected.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_person(unit, center.id, whose)
            standing = await photos.find(unit.session, center.id, whose.id)
            if standing is None:
                raise NotFound(_NONE)
            expected.require(_shown(standing).etag)
            await people.remove(unit.session, standing)
            unit.remove(center.id, Entity.PICTURE, whose.id)
        _log.info("photo_removed", center=center.id, person=whose.id)

    def _row(self, center_id: str, user: User, whose: Whose, drawn: Drawn, mosaic: Mosaic) -> Photo:
        if len(drawn.jpeg) > BODY_BYTES_MAX:
            raise PictureRefused("The picture has more detail than can be kept: send it smaller.")
        return Photo(
            center_id=center_id,
            person_id=whose.id,
            body=drawn.jpeg,
            width=drawn.width,
            height=drawn.height,
            tag=hashlib.sha256(drawn.jpeg).hexdigest(),
            picture=encode_record(pack(mosaic.palette, mosaic.points)),
            set_at=self._clock.now(),
            set_by=user.id or None,
        )


async def find_person(unit: UnitOfWork, center_id: str, whose: Whose) -> None:
    """See that a person is on file at a centre, whose file is about to be changed. Raises NotFound."""
    if whose.kind is WhoseKind.CHILD:
        await find_child(unit, center_id, whose.id)
    else:
        await find_adult(unit, center_id, whose.id)


def _check_expected(standing: Photo | None, expected: Expected | None) -> None:
    if standing is None:
        if expected is not None:
            raise PreconditionFailed
        return
    if expected is None:
        raise PreconditionRequired
    expected.require(_shown(standing).etag)


async def _photo(unit: UnitOfWork, center_id: str, person_id: str) -> Shown:
    found = await photos.find(unit.session, center_id, person_id)
    if found is None:
        raise NotFound(_NONE)
    return _shown(found)


def _shown(row: Photo) -> Shown:
    return Shown(row.body, row.width, row.height, row.tag, row.set_at)

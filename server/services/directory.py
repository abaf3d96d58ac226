"""The centres of a server as its operator names them: one by its code, or all of them."""

from server.core.errors import NotFound
from server.models.rooms import Center
from server.repositories import rosters
from server.repositories.unit_of_work import UnitsOfWork


class Directory:
    """Finds centres for commands; nobody's rights are asked here."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def centers(self, code: str = "") -> list[Center]:
        """Give the centre with a code, or without one all of them by code.

        Raises:
            NotFound: there is no centre with this code.

        """
        async with self._units.begin() as unit:
            codes = [code] if code else await rosters.known_centers(unit.session)
            found = [await rosters.find_center(unit.session, one) for one in codes]
        centers = [center for center in found if center is not None]
        if code and not centers:
            raise NotFound(f"There is no centre with the code {code}.")
        return centers

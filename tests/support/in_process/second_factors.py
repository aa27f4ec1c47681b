"""An old pool whose users have second factors, and which of them are in the new pool."""

from __future__ import annotations

from delta_world import Old

from batch.inventory.second_factors import Asked, FactorsTable
from userpool.factors import MAIL, SMS, Factors, Preference

SETS = "AdminSetUserMFAPreference"
NONE, BY_SMS, BY_MAIL = Preference(), Preference(frozenset({SMS}), SMS), Preference(frozenset({MAIL}), MAIL)
BOTH = Preference(frozenset({SMS, MAIL}), MAIL)


class OldWithFactors(Old):
    """An old pool whose users have second factors."""

    def __init__(self, world, *users) -> None:
        super().__init__(world, *users)
        self.factors: dict[str, Factors] = {}

    def prefer(self, sub: str, *second: str, preferred: str | None = None) -> None:
        """Switch these factors on, and all others off."""
        self.factors[sub] = Factors(frozenset(second), preferred)

    def scan(self) -> None:
        """Read it anew, with the factors."""
        super().scan()
        with self.world.inventory() as inventory, inventory.transaction():
            scan, table = inventory.get_meta("scan"), FactorsTable(inventory)
            table.save([Asked(sub, self.factors.get(sub)) for sub in self.users], scan)
            table.complete(scan)


def there(world, username="user1"):
    """The second factors of a user of the new pool."""
    return world.direct.find(username).preference


def put(world, username, preference):
    """Set second factors in the new pool as somebody else would."""
    world.direct.prefer(username, preference, off=frozenset({SMS, MAIL}) - preference.on)

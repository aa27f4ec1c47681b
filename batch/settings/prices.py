"""AWS list prices in US dollars, of us-east-1 in September 2026. The key `prices` of `config.yaml` replaces them.

Sources: https://aws.amazon.com/cognito/pricing/ (monthly active users, by feature plan), the announcement of
2024-01 of provisioned limits, https://aws.amazon.com/ses/pricing/ and
https://aws.amazon.com/dynamodb/pricing/on-demand/ .
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from userpool.errors import SettingsError

AS_OF = "September 2026"

# The tiers of each feature plan: up to how many monthly active users, and the price of each user within the tier.
_MAU: Mapping[str, tuple[tuple[float, float], ...]] = MappingProxyType(
    {
        "LITE": ((10_000, 0), (100_000, 0.0055), (1_000_000, 0.0046), (10_000_000, 0.00325), (math.inf, 0.0025)),
        "ESSENTIALS": ((10_000, 0), (math.inf, 0.015)),
        "PLUS": ((math.inf, 0.02),),
    }
)
_DEFAULT_PLAN = "ESSENTIALS"


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in dollars.

    `mau`: one monthly active user; None means the list price of the pool's feature plan. `mail`, `sms`: one message.
    `rps_month`: one request a second above the default quota, for a month that is not a whole one (provisioned limits;
    a whole month is $20). `ledger_write`: one write to the ledger's table.
    """

    mau: float | None = None
    mail: float = 0.0001
    sms: float = 0.01
    rps_month: float = 45.0
    ledger_write: float = 0.000000625

    def __post_init__(self) -> None:
        """Raise SettingsError for a price below 0, or one that is no finite number."""
        for name in self.__slots__:
            # `or 0`: `mau` may be None.
            if not 0 <= (getattr(self, name) or 0) < math.inf:
                raise SettingsError(f"{name} is no price: give dollars, from 0 on.")

    def of_users(self, active: int, plan: str) -> float:
        """Return the dollars that so many monthly active users cost in a month, on a feature plan (`UserPoolTier`)."""
        if self.mau is not None:
            return active * self.mau
        # Each tier's price is for the users within the tier alone, not for the users of the tiers below.
        dollars = below = 0.0
        for up_to, each in _MAU.get(plan, _MAU[_DEFAULT_PLAN]):
            dollars += max(0.0, min(active, up_to) - below) * each
            below = up_to
        return dollars

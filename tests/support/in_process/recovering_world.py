"""A migration in this process whose new pool loses users, or goes back in time: see `undoing` for the rest."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from undoing import Moved, quiet

from batch.inventory.inventory import Inventory
from batch.inventory.missing import MissingTable
from batch.ledger.returns import Returns, ledger_returns
from batch.recovery.recover import Recover, RecoverSummary
from batch.recovery.survey import Extent, SetBackTo
from batch.settings.config import LossSettings


class Losing(Moved):
    """A migration whose new pool may lose users. Its clock is its own."""

    survey = Extent()

    def later(self, seconds: float = 300.0) -> float:
        """Let time pass, and return what time it is."""
        self.world.local.world.clock.advance(seconds)
        return self.now()

    def set_back(self, to: float) -> SetBackTo:
        """Set the new pool back, some time later. Return what `recover` has to know."""
        begun = self.later()
        self.world.local.world.recover(self.world.new_id, to=to)
        self.later()
        return SetBackTo(to, begun)

    def recover(
        self,
        since: SetBackTo | None = None,
        *,
        workers: int = 4,
        everybody: bool = False,
    ) -> RecoverSummary:
        """Bring inventory and ledger in line; `survey` keeps what was counted before."""
        window = since or SetBackTo(None, math.inf, everybody=everybody)
        with self.open() as inventory, self._returns(inventory) as returns:
            recovering = Recover(
                self.target,
                inventory,
                self.context,
                MissingTable(inventory, LossSettings()),
                window,
                workers=workers,
                stop=threading.Event(),
                progress=quiet(),
                now=self.now,
            )
            self.survey = recovering.look(returns)
            return recovering.run(returns, self.survey)

    @contextmanager
    def _returns(self, inventory: Inventory) -> Iterator[Returns]:
        if not self.with_ledger:
            yield Returns()
            return
        with ledger_returns(self.table(), inventory, now=self.now) as returns:
            yield returns

    def accounts(self) -> dict[str, Any]:
        """What each user of the new pool is, by name, except for what Cognito gives anew, and passwords."""
        users = self.world.local.world.pool(self.world.new_id).users
        return {
            user.username: (
                user.status,
                user.enabled,
                set(user.groups),
                set(user.mfa),
                {name: value for name, value in user.attributes.items() if name != "sub"},
            )
            for user in users
        }

    def kept(self) -> dict[str, list[Any]]:
        """What the inventory knows of everybody, except for times and the subs that Cognito gives anew."""
        statements = {
            "progress": "SELECT sub, state, problem FROM progress",
            "applied": "SELECT sub, attributes, enabled, groups, giving, links, factors, theirs FROM applied",
            "granted": "SELECT sub, group_name FROM granted",
            "missing": "SELECT sub, stays FROM missing",
        }
        with self.open() as inventory:
            return {name: sorted(inventory.execute(statement)) for name, statement in statements.items()}

"""The campaign in one process, beside the apps' users: everybody is brought over, and waits for a first sign-in."""

from __future__ import annotations

import csv
import json
import threading
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from triggering import RANDOM_PASSWORD, World
from undoing import Moved, PowerCutError, quiet

from batch.campaign.campaign import Campaign, CampaignSummary
from batch.campaign.end_capture import letting
from batch.campaign.journal import CampaignRecords
from batch.campaign.mailing_lists import ExportSummary, Files, export
from batch.campaign.recipients import Budget, day_of
from batch.campaign.send_code import SendingCodes
from batch.plan.cohort import Cohort
from batch.plan.plan import make_plan
from userpool.cohort import CohortRules
from userpool.ledger import Ledger
from userpool.ledger_table import Write
from userpool.person import PERSON, Person, PersonState
from userpool.pool import UserPool

ANY = 1_000_000
RESET = "AdminResetUserPassword"
EVERYBODY = CohortRules()


class Waiting(Moved):
    """A migration whose users are in the new pool and in the ledger, pending."""

    def __init__(self, folder: Path, *, world: World | None = None) -> None:
        super().__init__(folder, world=world)
        self.folder = folder
        self.old_subs: dict[str, str] = {}

    def bring(self, *names: str, **attributes: str) -> None:
        """Add users to the old pool, all with these attributes or else an e-mail address, and bring them over."""
        for name in names:
            self.world.add_old(name, attributes or None)
        self.scan()
        self.run()

    def bring_many(self, count: int) -> list[str]:
        """Do what `bring` does, in less time: the pools, the ledger and the inventory are filled by hand."""
        names = self.people(count)
        self.scan()
        with self.open() as inventory:
            make_plan(inventory, self.context, {})
            for old in (user for page in self.source.users() for user in page):
                self.old_subs[old.username] = old.sub
                attributes = self.context.translate(old).attributes
                pool = UserPool(self.world.cognito, self.world.new_id)
                made = pool.create(old.username, attributes, RANDOM_PASSWORD)
                pool.set_password(old.username, RANDOM_PASSWORD)
                person = Person(old.sub, PersonState.PENDING, old.username, old.username, new_sub=made.sub)
                self.world.table.write(Write(f"{PERSON}{old.sub}", item=person.to_item()))
                with inventory.transaction():
                    inventory.execute(
                        "INSERT INTO progress (sub, state, new_sub, username) VALUES (?, 'done', ?, ?)",
                        (old.sub, made.sub, old.username),
                    )
                    inventory.execute(
                        "INSERT INTO applied (sub, attributes, enabled) VALUES (?, ?, 1)",
                        (old.sub, json.dumps(dict(attributes))),
                    )
            with inventory.transaction():
                inventory.set_meta("published_to", self.world.table.identity())
                inventory.set_meta("lease_owner", "this inventory")
        return names

    # The campaign, each time as a command of its own.

    def send(
        self, mails: int = ANY, *, sms: int = 0, limit: int | None = None, workers: int = 4, stop: Any = None
    ) -> CampaignSummary:
        """Send codes."""
        with self.open() as inventory, letting(self.table(), inventory, now=self.now) as let:
            records = self._surveyed(inventory)
            recovery = UserPool(self.world.cognito, self.world.new_id).describe().recovery
            budget = Budget({"email": mails, "phone_number": sms}, records.spent(), limit)
            sending = SendingCodes(self.target, let, budget, recovery=recovery, now=self.now)
            return self._campaign(inventory, records, workers, stop).send(sending, budget, recovery, ANY)

    def close(self, rules: CohortRules = EVERYBODY, *, limit: int | None = None, workers: int = 4) -> CampaignSummary:
        """Let go of everybody who waits."""
        with self.open() as inventory, letting(self.table(), inventory, now=self.now) as let:
            records = self._surveyed(inventory, rules)
            return self._campaign(inventory, records, workers, None).close(let, limit=limit, total=ANY)

    def export(self, rules: CohortRules = EVERYBODY, *, about: int = 0, **options: Any) -> ExportSummary:
        """Write both lists; `mailing` and `help_desk` read them. The new pool is said to have `about` so many users."""
        files = Files(self.folder / "reset.csv", self.folder / "help-desk.csv", replace=True)
        with self.open() as inventory:
            records = self._surveyed(inventory, rules)
            pool = UserPool(self.watched, self.world.new_id)
            records.look(pool, quiet(), about=about)
            recovery = pool.describe().recovery
            return export(records, recovery, files, **({"first": None, "per_day": None} | options))

    def _surveyed(self, inventory: Any, rules: CohortRules = EVERYBODY) -> CampaignRecords:
        records = CampaignRecords(inventory, self.context)
        records.survey(Ledger(self.table()), Cohort(inventory, rules), quiet(), now=self.now())
        return records

    def _campaign(self, inventory: Any, records: CampaignRecords, workers: int, stop: Any) -> Campaign:
        return Campaign(
            inventory,
            records,
            now=self.now,
            workers=workers,
            stop=stop or threading.Event(),
            progress=quiet(),
            succeeded=self.target.last_success,
        )

    def is_captured(self, name: str) -> bool:
        """Let the ledger take somebody's first sign-in as the trigger does, if it is not too late; say whether."""
        ledger, person, now = self.world.ledger, self.person(name), self.now()
        begun = ledger.begin_capture(person.sub, person.new_sub or "", "token", now=now, until=now + 20)
        return begun.done and ledger.captured(person.sub, "token", now).done

    def today(self, later: int = 0) -> date:
        """The day it is, or so many days later (UTC)."""
        return day_of(self.now()) + timedelta(later)

    # What goes wrong.

    def refuse(self, code: str, message: str = "refused", *names: str) -> None:
        """Let Cognito refuse every code from now on, or those for these users."""

        def refused(attempt: Any, params: dict[str, Any]) -> Any:
            if names and params["Username"] not in names:
                return attempt()
            raise ClientError({"Error": {"Code": code, "Message": message}}, RESET)

        self.watched.acts[RESET] = refused

    def mend(self) -> None:
        """Let everything go well again."""
        self.watched.acts.clear()
        self.tables.acts.clear()

    def die_before_letting_go(self, workers: int = 1) -> None:
        """Send codes, and let the power fail before the ledger lets go of anybody."""

        def cut(attempt: Any, params: dict[str, Any]) -> Any:
            if ":reset" in params.get("ExpressionAttributeValues", {}):
                raise PowerCutError
            return attempt()

        self.tables.acts["*"] = cut
        with suppress(PowerCutError):
            self.send(workers=workers)
        self.mend()

    def dies_while_sending(self, after: int, *, carried_out: bool) -> bool:
        """Send codes, and let the power fail at the call after so many; return whether it came to that."""
        cured = self.die_after(after, carried_out=carried_out)
        try:
            self.send(workers=1)
        except PowerCutError:
            return True
        finally:
            cured()
        return False

    # What came of it.

    def person(self, name: str) -> Person:
        """A person whom `bring_many` brought, by old user name."""
        found = self.world.ledger.person(self.old_subs[name])
        assert found
        return found

    def mailing(self) -> dict[str, dict[str, str]]:
        """The list for one's own mailing, by old user name."""
        return self._rows("reset.csv")

    def help_desk(self) -> dict[str, dict[str, str]]:
        """The list for the help desk, by old user name."""
        return self._rows("help-desk.csv")

    def _rows(self, name: str) -> dict[str, dict[str, str]]:
        with (self.folder / name).open(newline="") as file:
            return {row["username"]: row for row in csv.DictReader(file)}

    def sent(self) -> Counter[str]:
        """How many messages each user of the new pool was sent, by name."""
        names = {sub: name for name, sub in self.subs().items()}
        return Counter(names[message.sub] for message in self.world.local.world.sent)

    def kept(self) -> dict[str, str]:
        """How far a code is for each person whom the inventory knows, by old user name."""
        with self.open() as inventory:
            statement = "SELECT u.username, c.state FROM campaign c JOIN users u ON u.sub = c.sub"
            return dict(inventory.execute(statement).fetchall())

    def status(self, name: str) -> str:
        """The status of a user of the new pool."""
        return str(self.world.user(name).status)

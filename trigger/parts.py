"""What the functions work with: the two pools, the ledger, and what batch and trigger agreed on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from trigger.deadline import Clock, Deadline, InTime, Sleep
from trigger.outcome import RefusalError
from trigger.settings import TriggerSettings
from userpool.app_client import AppClient, secret_in
from userpool.client import cognito_client, dynamodb_client, secret_text
from userpool.errors import SettingsError
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.pool import UserPool
from userpool.settings import Rules
from userpool.terms import FRESH_SECONDS, Terms

_CONNECT_SECONDS = 1.0
_OLD_POOL_SECONDS = 3.0  # its own triggers run inside a sign-in
_NEW_POOL_SECONDS = 2.0
_LEDGER_SECONDS = 1.0

STATUS = "cognito:user_status"
"""The name under which an event has a user's status, among the attributes."""


@dataclass(slots=True)
class Parts:
    """Made once for as long as the Lambda lives. `now` is the time in seconds since 1970; `clock` measures."""

    settings: TriggerSettings
    source: UserPool
    target: UserPool
    table: LedgerTable
    now: Callable[[], float] = time.time
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    read_secret: Callable[[str], str] = secret_text
    _app: AppClient | None = field(default=None, repr=False)
    _terms: Terms | None = field(default=None, repr=False)
    _terms_read: float = float("-inf")

    @classmethod
    def of(cls, settings: TriggerSettings) -> Parts:
        """Make the clients. None of them tries again by itself, but for the ledger's, whose writes may be repeated."""
        source = cognito_client(
            settings.source, connections=2, connect_seconds=_CONNECT_SECONDS, read_seconds=_OLD_POOL_SECONDS
        )
        target = cognito_client(
            settings.target, connections=2, connect_seconds=_CONNECT_SECONDS, read_seconds=_NEW_POOL_SECONDS
        )
        ledger = dynamodb_client(
            settings.ledger,
            settings.target,
            connections=2,
            connect_seconds=_CONNECT_SECONDS,
            read_seconds=_LEDGER_SECONDS,
            attempts=2,
        )
        return cls(
            settings,
            UserPool(source, settings.source.user_pool_id),
            UserPool(target, settings.target.user_pool_id),
            LedgerTable(ledger, settings.ledger.table),
        )

    def terms(self) -> Terms:
        """Return what was agreed on. Raises RefusalError if nothing was published, SettingsError if it is not ours."""
        if self._terms is None or self.now() - self._terms_read > FRESH_SECONDS:
            terms = Terms.of(self.table)
            if terms is None:
                raise RefusalError("nothing-published")
            self._check(terms)
            self._terms, self._terms_read = terms, self.now()
        return self._terms

    def app(self) -> AppClient:
        """Return the app client of the old pool, with its secret.

        Raises SettingsError if none is set, or its secret is not in what the settings name.
        """
        if self._app is None:
            if self.settings.client_id is None:
                raise SettingsError("SOURCE_CLIENT_ID is missing: set it on the function that captures passwords.")
            self._app = AppClient(self.settings.client_id, self._secret(self.settings.client_id))
        return self._app

    def _secret(self, client_id: str) -> str | None:
        arn = self.settings.client_secret_arn
        return secret_in(self.read_secret(arn), client_id) if arn else None

    def forget_app(self) -> None:
        """Read the secret again next time: it may have been rotated."""
        self._app = None

    def _check(self, terms: Terms) -> None:
        pools = (self.settings.source.user_pool_id, self.settings.target.user_pool_id)
        if pools != (terms.source_pool_id, terms.target_pool_id):
            raise SettingsError(f"The ledger {self.table.name} is of other user pools: correct LEDGER_TABLE.")
        if terms.table != self.table.identity():
            raise SettingsError(
                f"The ledger {self.table.name} is a copy (restored from a backup?), and passwords may have changed "
                "since: run `cognito-migrate run`, which closes whoever is still open."
            )


@dataclass(slots=True)
class Work:
    """What one event is worked on with: the parts, held to the time that is left."""

    event: dict[str, Any] = field(repr=False)  # it holds a password
    deadline: Deadline
    parts: Parts
    terms: Terms
    source: UserPool
    target: UserPool
    old_pool: InTime
    _user: dict[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, event: dict[str, Any], deadline: Deadline, parts: Parts) -> Work:
        """Prepare for an event. Raises as `Parts.terms` does."""
        old_pool = InTime(deadline, parts.clock, parts.sleep)
        return cls(
            event,
            deadline,
            parts,
            parts.terms(),
            parts.source.paced_by(old_pool),
            parts.target.paced_by(InTime(deadline, parts.clock, parts.sleep)),
            old_pool,
        )

    @property
    def request(self) -> dict[str, Any]:
        """The event's request."""
        request: dict[str, Any] = self.event["request"]
        return request

    @property
    def response(self) -> dict[str, Any]:
        """The event's response, to be filled in."""
        response: dict[str, Any] = self.event["response"]
        return response

    @property
    def username(self) -> str:
        """The user name of the event. Raises RefusalError if there is none: the event is about nobody."""
        name = self.event.get("userName")
        if not name:
            raise RefusalError("no-user-name")
        return str(name)

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes as the event has them: of the new pool's user, or of one who is about to be made."""
        return self.request.get("userAttributes") or {}

    @property
    def user(self) -> dict[str, str]:
        """The attributes of the new pool's user, with `sub` and status. The pool is asked for what the event lacks.

        No document promises `cognito:user_status` in an event, nor any single attribute ("Lambda trigger event",
        developer guide); events of AWS have both, those of some stand-ins do not.
        """
        if self._user is None:
            # A marker that is named and not told is somebody's; most users of no migration have none.
            named = {"sub", STATUS, *({self.terms.marker} & self.attributes.keys())}
            if not all(self.attributes.get(name) for name in named):
                return self.ask()
            self._user = {name: value for name, value in self.attributes.items() if value}
        return self._user

    def ask(self) -> dict[str, str]:
        """Ask the new pool for the user, whatever the event tells, and return the attributes."""
        told = {name: value for name, value in self.attributes.items() if value}
        if found := self.target.find(self.username):
            told = {**found.attributes, **told, "sub": found.sub, STATUS: found.status}
        self._user = told
        return told

    @property
    def new_sub(self) -> str:
        """The sub of the new pool's user. Raises RefusalError if neither the event nor the pool tells one."""
        sub = self.user.get("sub")
        if not sub:
            raise RefusalError("no-such-new-user")
        return sub

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.parts.table)

    @property
    def rules(self) -> Rules:
        """What decides how users cross: the function's own rules, else the batch's."""
        rules = self.parts.settings.rules or self.terms.rules
        # The marker is the batch's in any case: by it the two recognise each other's users.
        return replace(rules, users=replace(rules.users, keep_sub_as=self.terms.marker))

    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return self.parts.now()

"""What a benchmark of the function needs: one person between two pools of the sandbox, in any state, and events."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from batch.ledger.ledger import BatchLedger
from batch.plan.user_plan import Context, plan_user
from sandbox.cognito import Cognito
from sandbox.in_process import client, dynamodb_client
from sandbox.triggers.triggers import attributes_of
from userpool.identity import identifiers
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PERSON, Person, PersonState, lock_id
from userpool.pool import UserPool
from userpool.settings import Rules
from userpool.terms import Terms

PASSWORD = "0ld-Passw0rd!"  # noqa: S105 -- a made-up user's
_USERNAME, _GROUP = "carol", "staff"
_MARKER = "custom:legacy_sub"
_APP = "4k2vexample1h6c1b0pq9m3rtd"


@dataclass(frozen=True, slots=True)
class TriggerWorld:
    """An old pool, a new one, and the ledger between. In the old pool is one user, in one group."""

    local: Cognito
    old_id: str
    new_id: str
    old_app: str
    table: LedgerTable

    @classmethod
    def make(cls) -> TriggerWorld:
        """Make it, the person published as `known`."""
        local = Cognito()
        cognito = client(local)
        old = cognito.create_user_pool(PoolName="old")["UserPool"]["Id"]
        marker = {"Name": _MARKER.removeprefix("custom:"), "AttributeDataType": "String", "Mutable": False}
        new = cognito.create_user_pool(PoolName="new", Schema=[marker], UsernameConfiguration={"CaseSensitive": False})
        app = cognito.create_user_pool_client(
            UserPoolId=old, ClientName="old", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )
        table = LedgerTable(dynamodb_client(), f"ledger-{uuid.uuid4().hex[:12]}")
        table.create()
        world = cls(local, old, new["UserPool"]["Id"], app["UserPoolClient"]["ClientId"], table)
        world._add_old_user(cognito)
        world._publish(cognito)
        return world

    def environment(self, endpoint_url: str) -> dict[str, str]:
        """Return the function's settings, everything being at one endpoint."""
        ends = dict.fromkeys(("SOURCE_ENDPOINT_URL", "TARGET_ENDPOINT_URL", "LEDGER_ENDPOINT_URL"), endpoint_url)
        return ends | {
            "SOURCE_USER_POOL_ID": self.old_id,
            "SOURCE_CLIENT_ID": self.old_app,
            "TARGET_USER_POOL_ID": self.new_id,
            "LEDGER_TABLE": self.table.name,
        }

    def precreate(self) -> None:
        """Create the user in the new pool, and let the person be `pending`, as the batch does."""
        cognito = client(self.local)
        old = self._old(cognito)
        pool = UserPool(cognito, self.new_id)
        plan = plan_user(old, self._context(cognito))
        made = pool.create(plan.username or "", plan.attributes or {}, PASSWORD)
        pool.set_password(made.username, "R4ndom-Passw0rd!")
        pool.create_group(next(UserPool(cognito, self.old_id).groups())[0])
        self.put(PersonState.PENDING, new_sub=made.sub)

    def put(self, state: PersonState, **changes: Any) -> None:
        """Put the person into a state."""
        sub = self._old(client(self.local)).sub
        person = BatchLedger(self.table).person(sub)
        if person is None:
            raise RuntimeError("The person was not published.")
        self.table.write(Write(f"{PERSON}{sub}", item=replace(person, state=state, **changes).to_item()))

    def event(self, source: str, response: dict[str, Any], **request: Any) -> dict[str, Any]:
        """Return an event about the person, as Cognito makes it."""
        pool = self.local.world.pool(self.new_id)
        user = pool.users.find(_USERNAME)
        return {
            "version": "1",
            "region": "us-east-1",
            "userPoolId": self.new_id,
            "userName": _USERNAME,
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": _APP},
            "triggerSource": source,
            "request": {"userAttributes": attributes_of(pool, user), **request},
            "response": response,
        }

    def _add_old_user(self, cognito: Any) -> None:
        user = {"UserPoolId": self.old_id, "Username": _USERNAME}
        attributes = {"email": "carol@example.com", "email_verified": "true", "given_name": "Carol"}
        pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
        cognito.admin_create_user(**user, UserAttributes=pairs, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
        cognito.create_group(UserPoolId=self.old_id, GroupName=_GROUP)
        cognito.admin_add_user_to_group(**user, GroupName=_GROUP)

    def _publish(self, cognito: Any) -> None:
        target = UserPool(cognito, self.new_id).describe()
        plan = plan_user(old := self._old(cognito), self._context(cognito))
        owned = identifiers(plan.username or "", plan.attributes or {}, target.sign_in)
        person = Person(
            old.sub,
            PersonState.KNOWN,
            username=old.username,
            name=plan.username,
            owed=frozenset({_GROUP}),
            locks=frozenset(lock_id(self.new_id, identifier) for identifier in owned),
        )
        identity, rules = self.table.identity(), Rules()
        terms = Terms(self.old_id, self.new_id, _MARKER, target.sign_in, target.schema, rules, identity, "a key")
        terms.save(self.table)
        BatchLedger(self.table).publish([person])

    def _old(self, cognito: Any) -> Any:
        return UserPool(cognito, self.old_id).find(_USERNAME)

    def _context(self, cognito: Any) -> Context:
        source, target = UserPool(cognito, self.old_id), UserPool(cognito, self.new_id)
        return Context.of(Rules(), source.describe(), target.describe())

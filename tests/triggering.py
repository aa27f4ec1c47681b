"""A migration in this process: an old pool, a new one with our function on every trigger, and the ledger between.

Everything is called as an app, or the batch job, would over boto3; only the sockets are missing.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from signing_in import FLOWS, claims, new_client

from batch.plan import Action, Context, plan_user
from sandbox.cognito import Cognito
from sandbox.in_process import client, dynamodb_client
from trigger.handler import Handler
from trigger.parts import Parts
from trigger.settings import TriggerSettings
from userpool.identity import identifiers
from userpool.ledger import Ledger
from userpool.ledger_table import LedgerTable
from userpool.person import UNCONFIRMED, Person, State, lock_id
from userpool.pool import UserPool
from userpool.settings import Rules
from userpool.terms import Terms

OLD_PASSWORD = "0ld-Passw0rd!"
NEW_PASSWORD = "N3w-Passw0rd!"
WRONG_PASSWORD = "Wr0ng-Passw0rd!"
RANDOM_PASSWORD = "R4ndom-Passw0rd!"
MARKER = "custom:legacy_sub"

TRIGGERS = [
    "UserMigration",
    "DefineAuthChallenge",
    "CreateAuthChallenge",
    "VerifyAuthChallengeResponse",
    "PreTokenGeneration",
    "PostConfirmation",
    "PreSignUp",
]

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "alias": {"AliasAttributes": ["email", "preferred_username"]},
    "email": {"UsernameAttributes": ["email"]},
}

_SCHEMA = [
    {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False},
    {"Name": "tenant", "AttributeDataType": "String", "Mutable": True},
]


@dataclass
class World:
    """Both pools, an app client of each, the function, and what it said and called."""

    cognito: Any
    local: Cognito
    old_id: str
    new_id: str
    old_app: str
    app: str
    table: LedgerTable
    parts: Parts
    handler: Handler
    log: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.table)

    # The old pool.

    def add_old(
        self,
        username: str,
        attributes: dict[str, str] | None = None,
        *,
        password: str | None = OLD_PASSWORD,
        permanent: bool = True,
        groups: Iterable[str] = (),
    ) -> str:
        """Add a user to the old pool, by default with a verified e-mail; return its sub."""
        wanted = {"email": f"{username}@example.com", "email_verified": "true"} if attributes is None else attributes
        pairs = [{"Name": name, "Value": value} for name, value in wanted.items()]
        answer = self.cognito.admin_create_user(
            UserPoolId=self.old_id, Username=username, UserAttributes=pairs, MessageAction="SUPPRESS"
        )
        if password:
            self.cognito.admin_set_user_password(
                UserPoolId=self.old_id, Username=username, Password=password, Permanent=permanent
            )
        for group in groups:
            for pool_id in (self.old_id, self.new_id):
                with quietly("GroupExistsException"):
                    self.cognito.create_group(UserPoolId=pool_id, GroupName=group)
            self.cognito.admin_add_user_to_group(UserPoolId=self.old_id, Username=username, GroupName=group)
        return next(pair["Value"] for pair in answer["User"]["Attributes"] if pair["Name"] == "sub")

    # What the batch job does, user by user.

    def publish(self, *, held: dict[str, str] | None = None) -> None:
        """Publish everybody of the old pool as `known`, but whom `held` names, with the reason."""
        source, target = UserPool(self.cognito, self.old_id), UserPool(self.cognito, self.new_id)
        described = target.describe()
        context = Context.of(Rules(), source.describe(), described)
        self.save_terms()
        for page in source.users():
            for user in page:
                plan = plan_user(user, context)
                reason = (held or {}).get(user.username)
                if plan.action is not Action.CREATE:
                    reason = UNCONFIRMED if user.status == "UNCONFIRMED" else plan.action
                name = plan.username or user.username
                attributes = plan.attributes or context.translate(user).attributes
                owned = identifiers(name, attributes, described.sign_in)
                groups = frozenset(group for names in source.groups_of(user.username) for group in names)
                person = Person(
                    user.sub,
                    State.HELD if reason else State.KNOWN,
                    username=user.username,
                    name=plan.username,
                    reason=reason,
                    owed=groups,
                    locks=frozenset(lock_id(self.new_id, identifier) for identifier in owned),
                    disabled=not user.enabled,
                )
                self.ledger.publish([person])

    def save_terms(self, **changes: Any) -> None:
        """Write what batch and trigger agree on."""
        described = UserPool(self.cognito, self.new_id).describe()
        terms: dict[str, Any] = {
            "source_pool_id": self.old_id,
            "target_pool_id": self.new_id,
            "marker": MARKER,
            "sign_in": described.sign_in,
            "schema": described.schema,
            "rules": Rules(),
            "table": self.table.identity(),
            "log_key": "a key",
        }
        Terms(**(terms | changes)).save(self.table)

    def precreate(self, username: str) -> str:
        """Create a published user in the new pool as the batch does, but for memberships; return the new sub."""
        source, target = UserPool(self.cognito, self.old_id), UserPool(self.cognito, self.new_id)
        context = Context.of(Rules(), source.describe(), target.describe())
        old = source.find(username)
        plan = plan_user(old, context)
        assert self.ledger.claim(old.sub, 1, self.parts.now()).done
        made = target.create(plan.username, plan.attributes, RANDOM_PASSWORD)
        if not old.enabled:
            target.disable(made.username)
        target.set_password(made.username, RANDOM_PASSWORD)
        assert self.ledger.created(old.sub, 1, made.sub, self.parts.now()).done
        return made.sub

    # What an app does.

    def sign_in(self, username: str, password: str, **options: Any) -> dict[str, Any]:
        """Sign in to the new pool by USER_PASSWORD_AUTH."""
        parameters = {"USERNAME": username, "PASSWORD": password}
        return self.cognito.initiate_auth(
            ClientId=self.app, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters, **options
        )

    def capture(self, username: str, password: str) -> str:
        """Answer the CUSTOM_AUTH challenge with a password; return what the pool told the app to do."""
        asked = self.challenge(username)
        return self.answer(username, asked, password)["ChallengeParameters"].get("outcome", "wrong")

    def challenge(self, username: str) -> dict[str, Any]:
        """Begin CUSTOM_AUTH."""
        parameters = {"USERNAME": username}
        return self.cognito.initiate_auth(ClientId=self.app, AuthFlow="CUSTOM_AUTH", AuthParameters=parameters)

    def answer(self, username: str, asked: dict[str, Any], password: str) -> dict[str, Any]:
        """Answer the challenge."""
        return self.cognito.respond_to_auth_challenge(
            ClientId=self.app,
            ChallengeName="CUSTOM_CHALLENGE",
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": username, "ANSWER": password},
        )

    def forget(self, username: str, chosen: str = NEW_PASSWORD) -> None:
        """Go through forgot-password with the code that is sent."""
        self.cognito.forgot_password(ClientId=self.app, Username=username)
        code = self.local.world.pool(self.new_id).users.find(username).code
        self.cognito.confirm_forgot_password(
            ClientId=self.app, Username=username, ConfirmationCode=code, Password=chosen
        )

    def signs_in(self, username: str, password: str) -> bool:
        """Whether a sign-in gives tokens."""
        with quietly("NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException"):
            return "AuthenticationResult" in self.sign_in(username, password)
        return False

    # What is there.

    def new_user(self, username: str) -> dict[str, Any] | None:
        """The user of the new pool as AdminGetUser gives it, attributes as a dictionary."""
        with quietly("UserNotFoundException"):
            answer = self.cognito.admin_get_user(UserPoolId=self.new_id, Username=username)
            return {**answer, "attributes": {pair["Name"]: pair["Value"] for pair in answer["UserAttributes"]}}
        return None

    def new_users(self) -> list[str]:
        """The names of all users of the new pool."""
        return sorted(user.username for page in UserPool(self.cognito, self.new_id).users() for user in page)

    def new_groups(self, username: str) -> set[str]:
        """The groups of a user of the new pool."""
        return {name for page in UserPool(self.cognito, self.new_id).groups_of(username) for name in page}

    def state(self, sub: str) -> State | None:
        """The state of a person."""
        person = self.ledger.person(sub)
        return person.state if person else None

    def reasons(self) -> list[str]:
        """The reasons the function logged, in order."""
        return [line["reason"] for line in self.log]

    def everything(self) -> str:
        """All items of the ledger and all users of the new pool, to see that nothing changed."""
        items = [item for page in self.table.items("") for item in page]
        users = UserPool(self.cognito, self.new_id).users()
        return json.dumps([items, [str(vars_of(user)) for page in users for user in page]], default=sorted)


def vars_of(user: Any) -> dict[str, Any]:
    """All fields of a user."""
    return {name: getattr(user, name) for name in user.__slots__}


@contextmanager
def quietly(*codes: str):
    """Let calls fail with these error codes."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def token_groups(answer: dict[str, Any], kind: str = "IdToken") -> list[str]:
    """The groups in a token."""
    return claims(answer, kind).get("cognito:groups", [])


def counted(client: Any, calls: Counter[str], prefix: str = "") -> Any:
    """Let a client count its calls."""

    def count(model: Any, **_: object) -> None:
        calls[prefix + model.name] += 1

    client.meta.events.register("before-call", count)
    return client


def new_world(
    kind: str = "plain",
    *,
    old_kind: str = "plain",
    case_sensitive: bool = False,
    old_secret: bool = False,
    hides_existence: bool = True,
    environment: dict[str, str] | None = None,
    triggers: Iterable[str] = TRIGGERS,
    token_version: str | None = None,
    pool_options: dict[str, Any] | None = None,
    old_options: dict[str, Any] | None = None,
    now: Callable[[], float] | None = None,
) -> World:
    """Make a migration: a case-sensitive old pool, a new one of a kind, an empty ledger with terms."""
    local = Cognito()
    cognito, calls = client(local), Counter()
    old = cognito.create_user_pool(
        PoolName="old", Schema=[_SCHEMA[1]], AutoVerifiedAttributes=["email"], **KINDS[old_kind], **(old_options or {})
    )["UserPool"]["Id"]
    name = f"function-{uuid.uuid4().hex[:8]}"
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    config: dict[str, Any] = dict.fromkeys(triggers, arn)
    if token_version:
        config["PreTokenGenerationConfig"] = {"LambdaVersion": token_version, "LambdaArn": arn}
    new = cognito.create_user_pool(
        PoolName="new",
        Schema=_SCHEMA,
        UsernameConfiguration={"CaseSensitive": case_sensitive},
        AutoVerifiedAttributes=["email"],
        LambdaConfig=config,
        **KINDS[kind],
        **(pool_options or {}),
    )["UserPool"]["Id"]
    old_app = cognito.create_user_pool_client(
        UserPoolId=old, ClientName="old", ExplicitAuthFlows=FLOWS, GenerateSecret=old_secret
    )["UserPoolClient"]
    app = new_client(cognito, new, **({"PreventUserExistenceErrors": "ENABLED"} if hides_existence else {}))
    dynamodb = dynamodb_client()
    table = LedgerTable(counted(dynamodb, calls, "DynamoDB."), f"ledger-{uuid.uuid4().hex[:12]}")
    table.create()
    settings = TriggerSettings.of(
        {
            "SOURCE_USER_POOL_ID": old,
            "SOURCE_REGION": "us-east-1",
            "SOURCE_CLIENT_ID": old_app["ClientId"],
            "SOURCE_CLIENT_SECRET_ARN": "a secret" if old_secret else "",
            "TARGET_USER_POOL_ID": new,
            "LEDGER_TABLE": table.name,
            **(environment or {}),
        }
    )
    parts = Parts(
        settings,
        UserPool(counted(client(local), calls, "old."), old),
        UserPool(counted(client(local), calls, "new."), new),
        table,
        now=now or local.world.clock.now,
        read_secret=lambda _: old_app["ClientSecret"],
    )
    world = World(cognito, local, old, new, old_app["ClientId"], app, table, parts, Handler(parts), calls=calls)
    world.handler = Handler(parts, say=lambda line: world.log.append(json.loads(line)))
    local.world.functions[name] = lambda event, context: _noted(world, event, context)
    world.save_terms()
    return world


def _noted(world: World, event: dict[str, Any], context: Any) -> dict[str, Any]:
    world.events.append(json.loads(json.dumps(event)))
    return world.handler(event, context)


@pytest.fixture
def world() -> World:
    """A migration to a case-insensitive pool of plain user names."""
    return new_world()

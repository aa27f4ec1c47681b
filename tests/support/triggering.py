"""A migration in this process: an old pool, a new one with our function on every trigger, and the ledger between.

Everything is called as an app, or the batch job, would over boto3; only the sockets are missing.
"""

from __future__ import annotations

import json
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ledgers import shared_client
from live import listed
from mishaps import Watch, counted, quietly
from pycognito.aws_srp import AWSSRP
from signing_in import FLOWS, claims, new_client

from batch.ledger.ledger import BatchLedger
from batch.plan.user_plan import Action, Context, plan_user
from sandbox.cognito import Cognito
from sandbox.in_process import client, dynamodb_client
from sandbox.made_up.seed import EVERY_FACTOR
from sandbox.triggers.triggers import attributes_of
from trigger.handler import Handler
from trigger.parts import Parts
from trigger.settings import TriggerSettings
from userpool.identity import identifiers
from userpool.ledger_table import LedgerTable, Write
from userpool.person import PERSON, UNCONFIRMED, Person, PersonState, lock_id
from userpool.pool import UserPool
from userpool.settings import Rules
from userpool.terms import Terms

OLD_PASSWORD = "0ld-Passw0rd!"
NEW_PASSWORD = "N3w-Passw0rd!"
WRONG_PASSWORD = "Wr0ng-Passw0rd!"
RANDOM_PASSWORD = "R4ndom-Passw0rd!"
MARKER = "custom:legacy_sub"
EVENTS = Path(__file__).parents[1] / "events"

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
    source_client: Any
    target_client: Any
    ledger_client: Any
    log: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def warm(self) -> None:
        """Let the function have read what it keeps, as it has after its first event, and count calls from now on."""
        self.parts.terms()
        self.parts.app()
        self.calls.clear()

    @property
    def ledger(self) -> BatchLedger:
        """The ledger."""
        return BatchLedger(self.table)

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

    def update_old(self, username: str, **attributes: str) -> None:
        """Change attributes of a user of the old pool."""
        self.cognito.admin_update_user_attributes(
            UserPoolId=self.old_id, Username=username, UserAttributes=listed(attributes)
        )

    def disable_old(self, username: str) -> None:
        """Disable a user of the old pool."""
        self.cognito.admin_disable_user(UserPoolId=self.old_id, Username=username)

    def delete_old(self, username: str) -> None:
        """Delete a user of the old pool."""
        self.cognito.admin_delete_user(UserPoolId=self.old_id, Username=username)

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
                    PersonState.HELD if reason else PersonState.KNOWN,
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

    def precreate(self, username: str, *, password: str = RANDOM_PASSWORD) -> str:
        """Create a published user in the new pool as the batch does, but for memberships; return the new sub."""
        source, target = UserPool(self.cognito, self.old_id), UserPool(self.cognito, self.new_id)
        context = Context.of(Rules(), source.describe(), target.describe())
        old = source.find(username)
        plan = plan_user(old, context)
        assert self.ledger.claim(old.sub, 1, self.parts.now()).done
        made = target.create(plan.username, plan.attributes, password)
        if not old.enabled:
            target.disable(made.username)
        target.set_password(made.username, password)
        assert self.ledger.created(old.sub, 1, made.sub, self.parts.now()).done
        return made.sub

    def put(self, sub: str, state: PersonState, **changes: Any) -> None:
        """Put a published person into a state, from whatever state and by whatever way they came there."""
        person = replace(self.ledger.person(sub), state=state, **changes)
        self.table.write(Write(f"{PERSON}{sub}", item=person.to_item()))

    def second_factor(self, username: str, *factors: str, preferred: str | None = None, mode: str = "OPTIONAL") -> None:
        """Give a user of the old pool second factors, and switch MFA on there (or not: OFF)."""
        if mode != "OFF":
            self.cognito.set_user_pool_mfa_config(UserPoolId=self.old_id, MfaConfiguration=mode, **EVERY_FACTOR)
        user = self.old_user(username)
        user.mfa, user.preferred_mfa, user.totp_secret = [*factors], preferred, "A" * 32

    def require_mfa(self) -> None:
        """Let the new pool require a second factor."""
        self.cognito.set_user_pool_mfa_config(
            UserPoolId=self.new_id, MfaConfiguration="ON", SoftwareTokenMfaConfiguration={"Enabled": True}
        )

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
        code = self.user(username).code
        self.cognito.confirm_forgot_password(
            ClientId=self.app, Username=username, ConfirmationCode=code, Password=chosen
        )

    def signs_in(self, username: str, password: str) -> bool:
        """Whether a sign-in gives tokens."""
        with quietly("NotAuthorizedException", "UserNotFoundException", "PasswordResetRequiredException"):
            return "AuthenticationResult" in self.sign_in(username, password)
        return False

    def signs_in_by_srp(self, username: str, password: str) -> bool:
        """Whether a sign-in by USER_SRP_AUTH gives tokens."""
        srp = AWSSRP(username, password, self.new_id, self.app, client=self.cognito)
        with quietly("NotAuthorizedException"), warnings.catch_warnings():
            # pycognito still asks for the time in a way that Python 3.12 deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            return "AuthenticationResult" in srp.authenticate_user()
        return False

    def refresh(self, signed_in: dict[str, Any]) -> dict[str, Any]:
        """Refresh the tokens of a sign-in."""
        return self.cognito.initiate_auth(
            ClientId=self.app,
            AuthFlow="REFRESH_TOKEN_AUTH",
            AuthParameters={"REFRESH_TOKEN": signed_in["AuthenticationResult"]["RefreshToken"]},
        )

    def captures(self, username: str, password: str) -> bool:
        """Whether a whole session of CUSTOM_AUTH captures the password."""
        with quietly("NotAuthorizedException", "PasswordResetRequiredException"):
            return self.capture(username, password) == "captured"
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

    def state(self, sub: str) -> PersonState | None:
        """The state of a person."""
        person = self.ledger.person(sub)
        return person.state if person else None

    def reasons(self) -> list[str]:
        """The reasons the function logged, in order."""
        return [line["reason"] for line in self.log]

    def user(self, username: str) -> Any:
        """A user of the new pool as the sandbox keeps it, with the last code sent and the password."""
        return self.local.world.pool(self.new_id).users.find(username)

    def old_user(self, username: str) -> Any:
        """A user of the old pool as the sandbox keeps it."""
        return self.local.world.pool(self.old_id).users.find(username)

    def everything(self) -> Any:
        """All items of the ledger and all users of the new pool with their passwords, to see that nothing changed."""
        items = [dict(item) for page in self.table.items("") for item in page]
        users = [
            (user.username, user.sub, user.attributes.copy(), user.status, user.enabled, user.password, [*user.groups])
            for user in self.local.world.pool(self.new_id).users
        ]
        return sorted(items, key=lambda item: item["id"]), users

    # What Cognito does, where no client of the sandbox can make it.

    def event(self, source: str, username: str, *, version: str = "1", **request: Any) -> dict[str, Any]:
        """An event about a user of the new pool, as Cognito makes it."""
        pool = self.local.world.pool(self.new_id)
        user = pool.users.find(username)
        return {
            "version": version,
            "region": "us-east-1",
            "userPoolId": self.new_id,
            "userName": user.username if user else username,
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.app},
            "triggerSource": source,
            "request": {"userAttributes": attributes_of(pool, user), **request},
            "response": _empty_response(source, version),
        }

    def send(self, event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """Hand an event to the function; return its response."""
        return self.handler(json.loads(json.dumps(event)), context)["response"]


def _empty_response(source: str, version: str) -> dict[str, Any]:
    name = source if version == "1" else f"{source}_V2"
    if not (EVENTS / f"{name}.json").exists():
        name = "TokenGeneration_Authentication_V2"
    response: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))["response"]
    return response


def token_groups(answer: dict[str, Any], kind: str = "IdToken") -> list[str]:
    """The groups in a token."""
    return claims(answer, kind).get("cognito:groups", [])


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
    watch: Watch | None = None,
) -> World:
    """Make a migration: a case-sensitive old pool, a new one of a kind, an empty ledger with terms."""
    local = Cognito()
    local.world.lambda_seconds = 60  # a busy machine is no slow function
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
    dynamodb = counted(dynamodb_client(), calls, "DynamoDB.")
    table = LedgerTable(shared_client(), f"ledger-{uuid.uuid4().hex[:12]}")
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
    source, target = counted(client(local), calls, "old."), counted(client(local), calls, "new.")
    watch = watch or Watch()
    parts = Parts(
        settings,
        UserPool(source, old),
        UserPool(target, new),
        LedgerTable(dynamodb, table.name),
        now=now or local.world.clock.now,
        clock=watch,
        sleep=watch.sleep,
        read_secret=lambda _: old_app["ClientSecret"],
    )
    log: list[dict[str, Any]] = []
    handler = Handler(parts, say=lambda line: log.append(json.loads(line)))
    world = World(
        cognito,
        local,
        old,
        new,
        old_app["ClientId"],
        app,
        table,
        parts,
        handler,
        source_client=source,
        target_client=target,
        ledger_client=dynamodb,
        log=log,
        calls=calls,
    )
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


def sign_up(world: World, name: str) -> None:
    """Sign up in the new pool, and confirm it by the code that was mailed."""
    attributes = listed({"email": f"{name}@example.com"})
    world.cognito.sign_up(ClientId=world.app, Username=name, Password=NEW_PASSWORD, UserAttributes=attributes)
    world.cognito.confirm_sign_up(ClientId=world.app, Username=name, ConfirmationCode=world.user(name).code)

"""A whole pool with everybody in it: profiles of other providers, linked users, second factors; and how they sign in.

The job runs by its command line, the function in this process. What is expected of each person is read from the old
pool itself, and by nothing of the migration's own.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from botocore.exceptions import ClientError
from command_line import FAST, Migration
from signing_in import claims, new_client, respond
from triggering import NEW_PASSWORD, TRIGGERS

from batch.ledger.ledger import BatchLedger
from sandbox.cognito import shared
from sandbox.errors import CognitoError
from sandbox.in_process import client as client_of
from sandbox.in_process import dynamodb_client
from sandbox.local import add_federated, enrol
from sandbox.made_up.mixing import PROVIDERS, Mix
from sandbox.made_up.people import PoolKind
from sandbox.made_up.seed import PASSWORD, TargetKind, make_target, seed_source
from sandbox.sign_in import managed_login, totp
from trigger.handler import Handler
from trigger.parts import Parts
from trigger.settings import TriggerSettings
from userpool.ledger_table import LedgerTable
from userpool.pool import UserPool

MIX = Mix(federated=0.08, linked=0.03, sms=0.2, totp=0.05, email=0.01, passkey=0.01)
"""The shares of what a real pool has."""

CROSSING = {"SMS_MFA", "EMAIL_OTP"}
_NUMBERS = itertools.count()
_CHANNELS = {"SMS_MFA": "phone_number", "EMAIL_OTP": "email"}
_CODES = {"SMS_MFA": "SMS_MFA_CODE", "EMAIL_OTP": "EMAIL_OTP_CODE", "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE"}


@dataclass(frozen=True)
class Known:
    """A person as the old pool has them. `identity` is that of a profile, `links` those of a linked native user.

    Of the groups, those that Cognito makes itself for who comes from another provider are left out.
    """

    sub: str
    username: str
    status: str
    enabled: bool
    groups: frozenset[str]
    links: frozenset[tuple[str, str]]
    identity: tuple[str, str] | None
    factors: frozenset[str]
    preferred: str | None
    passkey: bool
    channels: frozenset[str]

    @classmethod
    def of(cls, user: Any) -> Known:
        """Read a user of the sandbox."""
        identities = json.loads(user.attributes.get("identities", "[]"))
        named = [((one["providerName"], one["userId"]), one["primary"]) for one in identities]
        return cls(
            sub=user.sub,
            username=user.username,
            status=user.status,
            enabled=user.enabled,
            groups=frozenset(name for name in user.groups if not name.endswith(tuple(f"_{one}" for one in PROVIDERS))),
            links=frozenset(name for name, primary in named if not primary),
            identity=next((name for name, primary in named if primary), None),
            factors=frozenset(user.mfa),
            preferred=user.preferred_mfa,
            passkey=user.passkey,
            channels=frozenset(name for name in ("email", "phone_number") if user.is_verified(name)),
        )

    @property
    def crossing(self) -> frozenset[str]:
        """The second factors that the new pool can be given."""
        return self.factors & CROSSING

    @property
    def can_reset(self) -> bool:
        """Whether there is a verified address that is no second factor in the new pool."""
        return bool(self.channels - {_CHANNELS[factor] for factor in self.crossing})


@dataclass(frozen=True)
class Arrived:
    """How somebody came to their first token: what was said of the old password, the one they have, the claims."""

    outcome: str
    password: str | None
    claims: dict[str, Any] | None = None


@dataclass
class WholePool:
    """Both pools, the job, an app client of the new pool, and everybody of the old one, by old sub."""

    job: Migration
    old_id: str
    new_id: str
    app: str
    ledger: BatchLedger
    cognito: Any
    people: dict[str, Known]
    log: list[dict[str, Any]] = field(default_factory=list)

    # Who there is.

    @property
    def collided(self) -> frozenset[str]:
        """Who, by sub, is not created because somebody else would be the same account in the new pool."""
        count = Counter(known.username.lower() for known in self.people.values())
        return frozenset(sub for sub, known in self.people.items() if count[known.username.lower()] > 1)

    @property
    def natives(self) -> list[Known]:
        """Who is to be created: everybody but profiles, the unconfirmed, and those who collide."""
        collided = self.collided
        left = (known for sub, known in self.people.items() if sub not in collided)
        return [known for known in left if known.status not in {"EXTERNAL_PROVIDER", "UNCONFIRMED"}]

    @property
    def profiles(self) -> list[Known]:
        """Who comes from another provider."""
        return [known for known in self.people.values() if known.identity]

    # What is there.

    def new_users(self) -> dict[str, Any]:
        """The users of the new pool as the sandbox keeps them, by the old sub that they carry; no profiles."""
        users = [user for user in shared().world.pool(self.new_id).users if "custom:legacy_sub" in user.attributes]
        return {user.attributes["custom:legacy_sub"]: user for user in users}

    def profile(self, known: Known) -> Any:
        """The profile that a person came back as, None if they did not."""
        provider, subject = known.identity or ("", "")
        return shared().world.pool(self.new_id).users.named(f"{provider}_{subject}")

    def state(self, known: Known) -> str:
        """The state of a person in the ledger."""
        person = self.ledger.person(known.sub)
        return str(person.state) if person else "absent"

    # What people do. Each returns the claims of the first ID token, or None.

    def comes_from(self, provider: str, subject: str) -> dict[str, Any] | None:
        """Sign in through another provider."""
        world = shared().world
        try:
            with world.lock:
                return claims(managed_login.sign_in_from(world, self.app, provider, subject))
        except CognitoError:
            return None

    def signs_in(self, username: str, password: str) -> dict[str, Any] | None:
        """Sign in with a password and whatever second factor is asked for."""
        try:
            answer = self._initiate("USER_PASSWORD_AUTH", USERNAME=username, PASSWORD=password)
            while factor := answer.get("ChallengeName"):
                answer = self._answer(username, answer, factor)
        except ClientError:
            return None
        return claims(answer)

    def is_asked(self, username: str, password: str) -> str | None:
        """The second factor that is asked for after the password, None if there are tokens at once."""
        asked: str | None = self._initiate("USER_PASSWORD_AUTH", USERNAME=username, PASSWORD=password).get(
            "ChallengeName"
        )
        return asked

    def offers(self, username: str, password: str) -> str:
        """Answer the custom challenge with a password; return what the function says is to be done."""
        try:
            asked = self._initiate("CUSTOM_AUTH", USERNAME=username)
            answer = respond(self.cognito, self.app, asked, {"USERNAME": username, "ANSWER": password})
        except ClientError:
            return "wrong"
        return str(answer["ChallengeParameters"].get("outcome", "wrong"))

    def forgets(self, username: str, chosen: str = NEW_PASSWORD) -> bool:
        """Choose a password with the code that is sent; False if none is."""
        user = shared().world.pool(self.new_id).users.find(username)
        user.code = None
        try:
            self.cognito.forgot_password(ClientId=self.app, Username=username)
            if user.code is None:  # the app is not told so
                return False
            self.cognito.confirm_forgot_password(
                ClientId=self.app, Username=username, ConfirmationCode=user.code, Password=chosen
            )
        except ClientError:
            return False
        return True

    def arrives(self, known: Known) -> Arrived:
        """Do what the app does with a native user: try the old password, offer it, reset it if told so, sign in."""
        if self.signs_in(known.username, PASSWORD):
            return Arrived("let in", None)
        outcome = self.offers(known.username, PASSWORD)
        if outcome == "captured":
            return Arrived(outcome, PASSWORD, self.signs_in(known.username, PASSWORD))
        chosen = NEW_PASSWORD if self.forgets(known.username) else None
        return Arrived(outcome, chosen, self.signs_in(known.username, chosen) if chosen else None)

    def _initiate(self, flow: str, **parameters: str) -> Any:
        return self.cognito.initiate_auth(ClientId=self.app, AuthFlow=flow, AuthParameters=parameters)

    def _answer(self, username: str, asked: Any, factor: str) -> Any:
        user, now = shared().world.pool(self.new_id).users.find(username), shared().world.clock.now()
        code = totp.code(user.totp_secret, now) if factor == "SOFTWARE_TOKEN_MFA" else user.code
        return respond(self.cognito, self.app, asked, {"USERNAME": username, _CODES[factor]: code})


def whole_pool(
    folder: Path,
    endpoint_url: str,
    *,
    size: int = 70,  # more than a page, and with this seed already of every kind
    seed: int = 164,
    kind: PoolKind = "plain",
    target_kind: TargetKind = "plain",
    mix: Mix = MIX,
    environment: Mapping[str, str] | None = None,
    **settings: Any,
) -> WholePool:
    """Make the pools of a migration with a ledger, both behind `endpoint_url`, with our function on every trigger.

    `size` is the number of users, `folder` where the job's files are, `environment` what the function has besides;
    settings are top-level keys of config.yaml.
    """
    cognito = client_of(shared())
    seeded = seed_source(
        cognito, users=size, random=Random(seed), kind=kind, mix=mix, add_federated=add_federated, enrol=enrol
    )
    new_id = make_target(cognito, kind=target_kind, mix=mix)
    table = f"whole-pool-{next(_NUMBERS)}"
    job = Migration(folder, seeded.pool_id, new_id)
    job.configure(
        source={"user_pool_id": seeded.pool_id, "endpoint_url": endpoint_url},
        target={"user_pool_id": new_id, "endpoint_url": endpoint_url},
        ledger={"table": table, "endpoint_url": endpoint_url},
        **{
            "rate": {"share": 1.0, "limits": {**FAST, "UserResourceUpdate": 100_000}},
            "users": {"external_provider": "defer", "mfa": "preferences"},
            **settings,
        },
    )
    old_app = new_client(cognito, seeded.pool_id)
    people = {user.sub: Known.of(user) for user in shared().world.pool(seeded.pool_id).users}
    ledger = BatchLedger(LedgerTable(dynamodb_client(), table))
    app = new_client(cognito, new_id, PreventUserExistenceErrors="ENABLED")
    whole = WholePool(job, seeded.pool_id, new_id, app, ledger, cognito, people)
    _attach(whole, _handler(whole, old_app, table, environment or {}), f"whole-pool-{table}")
    return whole


def _handler(whole: WholePool, old_app: str, table: str, environment: Mapping[str, str]) -> Handler:
    settings = TriggerSettings.of(
        {
            "SOURCE_USER_POOL_ID": whole.old_id,
            "SOURCE_REGION": "us-east-1",
            "SOURCE_CLIENT_ID": old_app,
            "TARGET_USER_POOL_ID": whole.new_id,
            "LEDGER_TABLE": table,
            **environment,
        }
    )
    parts = Parts(
        settings,
        UserPool(whole.cognito, whole.old_id),
        UserPool(whole.cognito, whole.new_id),
        LedgerTable(dynamodb_client(), table),
        now=shared().world.clock.now,
    )
    return Handler(parts, say=lambda line: whole.log.append(json.loads(line)))


def _attach(whole: WholePool, handler: Handler, name: str) -> None:
    # Not by UpdateUserPool, which would switch MFA off.
    world = shared().world
    world.functions[name] = handler
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    world.pool(whole.new_id).config["LambdaConfig"] = dict.fromkeys(TRIGGERS, arn)

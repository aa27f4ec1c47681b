"""Why is a user not captured? Walk through the function's own decision, step by step.

Changes nothing in the new pool or the ledger. This is the one file of `batch/` that imports `trigger`: what the
function would decide is asked of the function's own code.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from batch.lambda_trigger.capture_way import (
    Way,
    attached,
    callable_by_cognito,
    new_clients,
    ours,
    strong_enough,
    way_of,
)
from batch.lambda_trigger.findings import DiagnosisStep, StepVerdict, ok, refused, unchecked, wrong
from batch.lambda_trigger.old_client import ConfiguredSecret, no_old_client, old_client
from batch.pacing.pacer import Pacer
from batch.settings.config import Config
from trigger.capture import claimant, require_as_recorded
from trigger.deadline import Deadline
from trigger.migrate import described, open_person, owed_groups, translated
from trigger.outcome import RefusalError
from trigger.parts import Parts, Work
from trigger.proof import Proof, old_user, prove, why_reset
from trigger.recognise import by_identity, by_marker, by_typed_name, is_federated
from trigger.settings import TriggerSettings
from userpool.app_client import AppClient
from userpool.client import secret_text
from userpool.description import Description
from userpool.door import Policy, call_once
from userpool.errors import MigrationError, NoSuchAppClientError, NotAllowedError, UnansweredError
from userpool.function import lets_in, resource_policy
from userpool.person import Person
from userpool.plural import plural
from userpool.user import Status, User

Ask = Callable[[], str | None]

_NOT_BY_STATUS = {
    Status.UNCONFIRMED: "old-user-unconfirmed",
    Status.RESET_REQUIRED: "old-user-must-reset",
    Status.FORCE_CHANGE_PASSWORD: str(Proof.TEMPORARY),
    Status.EXTERNAL_PROVIDER: "old-user-federated",
}


@dataclass(frozen=True, slots=True)
class AsDeployed:
    """The settings of the deployed function that config.yaml does not have."""

    client_id: str | None = None
    secret_arn: str | None = None
    mfa_users: Literal["reset", "capture"] = "reset"


def diagnose(config: Config, name: str, deployed: AsDeployed, ask: Ask) -> Iterator[DiagnosisStep]:
    """Yield what is found for a sign-in name, step by step.

    `ask` returns the password, or None. It is called only if everything before is right, because proving a password
    costs an attempt in the old pool.
    """
    if config.ledger is None:
        yield wrong("ledger", "config.yaml has no ledger, without which nobody is captured.", "Set `ledger`, and run.")
        return
    settings = TriggerSettings(
        source=config.source,
        target=config.target,
        ledger=config.ledger,
        client_id=deployed.client_id,
        client_secret_arn=deployed.secret_arn,
        rules=config.rules,
        mfa_users=deployed.mfa_users,
    )
    parts = Parts.of(settings)
    # The function reads the secret with its own role. Here it is read with the credentials of the new pool.
    parts.read_secret = partial(secret_text, owner=config.target)
    pacer = Pacer({}, share=config.rate.share, stopping=threading.Event())
    policy_of = partial(resource_policy, owner=config.target)
    yield from Diagnosis(parts, name, ask, policy_of, pacer.policy()).findings()


class _NotYetError(Exception):
    """A step needs what an earlier step did not find."""


class Diagnosis:
    """The walk for one name. `policy_of` reads a function's policy by its ARN.

    `pace` paces the reading of the set-up.
    """

    def __init__(
        self,
        parts: Parts,
        name: str,
        ask: Ask,
        policy_of: Callable[[str], str | None],
        pace: Policy = call_once,
    ) -> None:
        self._parts = parts
        self._name = name
        self._ask = ask
        self._policy_of = policy_of
        # Only the reading of the set-up is paced. What the function would call goes through `parts`, as in the
        # function.
        self._source, self._target = parts.source.paced_by(pace), parts.target.paced_by(pace)
        self._wrong = False
        self._way = Way.NONE
        self._work_begun: Work | None = None
        self._person_found: Person | None = None
        self._old: User | None = None
        self._new: User | None = None
        self._description: Description | None = None

    def findings(self) -> Iterator[DiagnosisStep]:
        """Yield a finding for each step. After a wrong step the others are still walked, as far as they can be."""
        # In the order in which each step needs what the ones before it found.
        steps: dict[str, Callable[[], DiagnosisStep]] = {
            "ledger": self._ledger,
            "triggers": self._triggers,
            "permission": self._permission,
            "old app client": self._old_client,
            "name": self._whose_name,
            "state": self._state,
            "app clients": self._new_clients,
            "old user": self._old_user,
            "attributes": self._attributes,
            "password": self._password,
        }
        for step, act in steps.items():
            # A federated profile has no password that could be captured.
            needless = self._way is Way.FEDERATED and step in _OF_PASSWORDS
            finding = unchecked(step, _BY_PROVIDER) if needless else _tried(step, act)
            self._wrong = self._wrong or finding.verdict is StepVerdict.WRONG
            yield finding

    def _ledger(self) -> DiagnosisStep:
        # Raises if the ledger is missing, of other pools, or restored, just as it does in the function.
        terms = self._parts.terms()
        event = {"triggerSource": "", "userName": self._name, "request": {}, "response": {}}
        # A clock that stands still: a person has more time than Cognito gives the function.
        self._work_begun = Work.of(event, Deadline(None, lambda: 0.0), self._parts)
        region = self._parts.settings.ledger.region
        if region not in {None, self._parts.settings.target.region_name}:
            return wrong("ledger", "it is in another Region than the new pool, where the function looks for it.", _MOVE)
        rules = self._parts.settings.rules
        other = "" if rules in (None, terms.rules) else "; config.yaml has other rules by now, which are used here"
        return ok("ledger", f"published for these two pools{other}.")

    def _triggers(self) -> DiagnosisStep:
        return attached(self._described().triggers)

    def _permission(self) -> DiagnosisStep:
        pool = self._described()
        try:
            policies = {arn: self._policy_of(arn) for arn in ours(pool.triggers)}
        except MigrationError as error:
            return unchecked("permission", str(error))
        allowed = {arn: bool(policy and lets_in(policy, pool.arn)) for arn, policy in policies.items()}
        if not allowed:
            return unchecked("permission", "no function is attached.")
        return callable_by_cognito(allowed, pool.arn, self._parts.settings.target)

    def _old_client(self) -> DiagnosisStep:
        if self._parts.settings.client_id is None:
            return wrong(
                "old app client",
                "it is not known as which app client of the old pool passwords are proved.",
                "Give its id: --client-id here, SOURCE_CLIENT_ID on the function.",
            )
        try:
            client = self._source.app_client(self._parts.settings.client_id)
        except NotAllowedError as error:
            return unchecked("old app client", str(error))
        except NoSuchAppClientError:
            # Cognito says the same if the whole pool is missing. This raises NoSuchPoolError then.
            self._source.find(self._name)
            return no_old_client(self._parts.settings.client_id)
        return old_client(client, self._secret(client))

    def _secret(self, client: AppClient) -> ConfiguredSecret:
        arn, account = self._parts.settings.client_secret_arn, self._account() if client.secret_arn else ""
        try:
            used = self._parts.app()
        # The person at the terminal may not have the right that the function's role has. That is not wrong.
        except NotAllowedError:
            return ConfiguredSecret(arn, None, account=account)
        except MigrationError as error:
            return ConfiguredSecret(arn, None, str(error), account)
        differs = None not in {client.secret, used.secret} and client.secret != used.secret
        return ConfiguredSecret(arn, used, account=account, active=self._active(client) if differs else None)

    def _account(self) -> str:
        try:
            return self._described().account
        except MigrationError:
            return ""  # the step that needs it says so

    def _active(self, client: AppClient) -> int | None:
        try:
            return self._source.count_client_secrets(client.client_id)
        except MigrationError:
            return None

    def _whose_name(self) -> DiagnosisStep:
        work = self._work()
        self._new = work.target.find(self._name)
        if self._new is None:
            return self._by_typed_name(work)
        self._become(work, self._new)
        self._person_found = by_identity(work) if is_federated(work) else by_marker(work)
        if self._person_found is None:
            return refused("name", "nobody-of-this-migration")
        return ok("name", "the new pool has the user, made by this migration.")

    def _by_typed_name(self, work: Work) -> DiagnosisStep:
        try:
            self._person_found = by_identity(work) or by_typed_name(work)
        except RefusalError as refusal:
            # A user of the old pool that the ledger does not know came after the scan, and has another remedy.
            if refusal.reason == "unknown-name" and work.source.find(self._name) is None:
                said = "nobody has that name: neither pool, nor the ledger."
                return wrong("name", said, "Check the spelling; the old pool may be exact about case.", refusal.reason)
            raise
        return ok("name", "the ledger knows whose it is.")

    def _become(self, work: Work, new: User) -> None:
        """Fill in the event as Cognito does for a user that exists."""
        work.event["userName"] = new.username
        attributes = {**new.attributes, "sub": new.sub, "cognito:user_status": str(new.status)}
        work.request["userAttributes"] = attributes

    def _state(self) -> DiagnosisStep:
        work, person = self._work(), self._person()
        self._way, finding = way_of(person, self._new, work.now())
        if self._way is Way.USER_MIGRATION:
            # These raise RefusalError for whatever the function itself would refuse.
            open_person(work)
        elif self._way is Way.CUSTOM_AUTH:
            claimant(work)
            require_as_recorded(work, person)
        return finding

    def _new_clients(self) -> DiagnosisStep:
        if self._way is Way.NONE:
            raise _NotYetError
        try:
            clients = [*self._target.each_app_client()]
        except NotAllowedError as error:
            return unchecked("app clients", str(error))
        return new_clients(clients, self._way)

    def _old_user(self) -> DiagnosisStep:
        work, person = self._work(), self._person()
        if self._way is Way.NONE:
            raise _NotYetError
        self._old = old = old_user(work, person)
        if self._way is Way.FEDERATED:
            return ok("old user", "it exists and is enabled.")
        # The function learns these by trying the password. The status says the same without costing an attempt.
        if reason := _NOT_BY_STATUS.get(old.status):
            return refused("old user", reason)
        if reason := why_reset(work, Proof.PASSWORD, old):
            return refused("old user", reason)
        return ok("old user", f"it exists, is enabled, and its status is {old.status}.")

    def _attributes(self) -> DiagnosisStep:
        work, person = self._work(), self._person()
        if self._old is None:
            raise _NotYetError
        if self._way is Way.CUSTOM_AUTH:
            return ok("attributes", "none are written now: the user exists in the new pool.")
        try:
            kept = described(work, person, self._old, needs_channel=False)
        except RefusalError as refusal:
            # The reason only says that attributes are refused. Their names are worked out again, never their values.
            problems = "; ".join(translated(work, self._old).problems)
            if refusal.reason != "attributes-the-new-pool-refuses" or not problems:
                raise
            return wrong("attributes", f"{problems}.", refused("", refusal.reason).remedy, refusal.reason)
        return ok(
            "attributes",
            f"{len(kept)} cross, and {plural(len(owed_groups(work, person)), 'group is', 'groups are')} given.",
        )

    def _password(self) -> DiagnosisStep:
        # A wrong attempt counts towards the old pool's lockout, so it is made only if it can still decide anything.
        if self._wrong:
            raise _NotYetError
        if self._way is Way.NONE:
            return unchecked("password", "not needed: nothing is captured for this user.")
        password = self._ask()
        if not password:
            return unchecked("password", "nobody gave it.")
        work, person = self._work(), self._person()
        try:
            proof = prove(work, person, password)
        except UnansweredError as error:
            return wrong("password", str(error), "The old pool must answer in 3 s, with its own triggers: mend those.")
        # A right password may not be enough, for example if the old pool asked for a second factor after it.
        if reason := why_reset(work, proof, old_user(work, person)):
            return refused("password", reason)
        if self._way is Way.CUSTOM_AUTH:
            return strong_enough(password, self._described().password_policy)
        return ok("password", "the old pool proves it.")

    def _described(self) -> Description:
        if self._description is None:
            self._description = self._target.describe()
        return self._description

    def _work(self) -> Work:
        if self._work_begun is None:
            raise _NotYetError
        return self._work_begun

    def _person(self) -> Person:
        if self._person_found is None:
            raise _NotYetError
        return self._person_found


_OF_PASSWORDS = {"app clients", "attributes", "password"}
_BY_PROVIDER = "the identity provider's: attach it to the new pool, and allow it on the app client."
_MOVE = "Leave `ledger.region` out, and keep the table in the new pool's Region."
_DIAGNOSIS_ALONE = {"triggers", "permission"}  # what these ask, the function itself never does


def _tried(step: str, act: Callable[[], DiagnosisStep]) -> DiagnosisStep:
    try:
        return act()
    except _NotYetError:
        return unchecked(step, "not before what is wrong is mended.")
    except RefusalError as refusal:
        return refused(step, refusal.reason)
    except NotAllowedError as error:
        # A missing right is wrong only if the function needs it as well.
        if step in _DIAGNOSIS_ALONE:
            return unchecked(step, str(error))
        return wrong(step, "a call that the function makes, too, is not allowed with these credentials.", str(error))
    except MigrationError as error:
        return wrong(step, str(error), "")  # the sentence has the remedy

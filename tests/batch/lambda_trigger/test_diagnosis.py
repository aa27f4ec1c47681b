"""Why is a user not captured? Each situation is made, and the diagnosis has to name it first."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
from mishaps import answering, no_answer, on, raising, refusal
from signing_in import new_client
from triggering import OLD_PASSWORD, TRIGGERS, WRONG_PASSWORD, new_world

import trigger
from batch.lambda_trigger.capture_way import Way, new_clients
from batch.lambda_trigger.diagnosis import Diagnosis
from batch.lambda_trigger.findings import REASONS, StepVerdict, conclusion, first_wrong
from batch.ledger import claims, persons
from batch.ledger.persons import HELD
from userpool.app_client import AppClient
from userpool.errors import FatalError, NotAllowedError
from userpool.ledger_table import LedgerTable, Write
from userpool.person import FORGOTTEN, PERSON, UNCONFIRMED, PersonState
from userpool.pool import UserPool

ALLOWS = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction",
    "Principal": {"Service": "cognito-idp.amazonaws.com"}, "Resource": "*"}]}"""


class Asked:
    """Gives a password and counts how often it was asked for."""

    def __init__(self, password: str | None) -> None:
        self.password = password
        self.times = 0

    def __call__(self) -> str | None:
        """Return the password."""
        self.times += 1
        return self.password


def walk(world, name="ada", password=None, policy_of=lambda _: ALLOWS):
    """The findings for a name. Whatever they are, nothing has changed, and the password is in none of them."""
    before = world.everything()
    findings = list(Diagnosis(world.parts, name, Asked(password), policy_of).findings())
    assert world.everything() == before
    assert not password or password not in repr(findings)
    assert "example.com" not in repr(findings)
    return {finding.step: finding for finding in findings}


def wrong_first(world, name="ada", password=None, **options):
    """The first thing that is wrong."""
    first = first_wrong(list(walk(world, name, password, **options).values()))
    assert first is not None
    assert first.said
    return first


def published(**options):
    """A migration in which ada is published."""
    world = new_world(**options)
    world.add_old("ada", groups=["admins"])
    world.publish()
    return world


def set_parts(world, **settings):
    """Set the function up otherwise."""
    world.parts = replace(world.parts, settings=replace(world.parts.settings, **settings), _app=None)


def test_a_user_to_be_captured_by_usermigration_has_nothing_wrong():
    """Everything is right, up to the password, and each of the ten steps says so."""
    findings = walk(published(), password=OLD_PASSWORD)
    assert [finding.verdict for finding in findings.values()] == [StepVerdict.OK] * 10
    assert "UserMigration captures" in findings["state"].said
    assert "would be captured." in conclusion(list(findings.values()))


def test_a_user_to_be_captured_by_a_challenge_has_nothing_wrong():
    """Of who is in the new pool already it is said that UserMigration never fires, and that CUSTOM_AUTH captures."""
    world = published()
    world.precreate("ada")
    findings = walk(world, password=OLD_PASSWORD)
    assert [finding.verdict for finding in findings.values()] == [StepVerdict.OK] * 10
    assert "UserMigration never fires: CUSTOM_AUTH" in findings["state"].said


def test_what_is_diagnosed_as_right_is_right():
    """Whoever has nothing wrong signs in, and is then diagnosed as captured, with a password of their own."""
    world = published()
    assert first_wrong(list(walk(world, password=OLD_PASSWORD).values())) is None
    assert world.signs_in("ada", OLD_PASSWORD)
    first = wrong_first(world, password=OLD_PASSWORD)
    assert (first.step, first.code) == ("state", "person-is-captured")
    assert "dead, by design" in first.said


def test_without_a_password_the_rest_is_checked():
    """Nobody has to give the password; then it is said that it was not proved, and no sign-in is made."""
    world = published()
    findings = walk(world)
    assert findings.pop("password").verdict is StepVerdict.UNCHECKED
    assert {finding.verdict for finding in findings.values()} == {StepVerdict.OK}
    assert world.calls["old.AdminInitiateAuth"] == 0


def test_a_password_is_not_asked_for_while_something_else_is_wrong():
    """Proving it costs an attempt, so it is left for when it is the last thing that can be wrong."""
    world = published(triggers=[])
    asked = Asked(OLD_PASSWORD)
    findings = list(Diagnosis(world.parts, "ada", asked, lambda _: ALLOWS).findings())
    assert (findings[-1].verdict, asked.times) == (StepVerdict.UNCHECKED, 0)
    assert world.calls["old.AdminInitiateAuth"] == 0


# Who it is.


def test_nobody_anywhere():
    """A name that neither pool and no person has is named so."""
    assert "neither pool" in wrong_first(published(), "nobody").said


def test_somebody_who_is_not_published():
    """Who is in the old pool, but came after the scan, is told apart from nobody."""
    world = published()
    world.add_old("bob")
    first = wrong_first(world, "bob")
    assert (first.step, first.code) == ("name", "unknown-name")
    assert "scan" in first.remedy


def test_a_user_of_the_new_pool_who_is_somebody_else():
    """An existing user without the marker is not ours, and is left alone."""
    world = published()
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="ada", MessageAction="SUPPRESS")
    assert wrong_first(world).code == "nobody-of-this-migration"


def test_a_user_with_another_persons_marker():
    """A marker that belongs to another user of the new pool is named."""
    world = published()
    world.precreate("ada")
    world.user("ada").attributes["custom:legacy_sub"] = world.add_old("bob")
    world.publish()
    assert wrong_first(world).code == "another-persons-marker"


def test_a_name_that_only_looks_like_theirs():
    """A name that folds to theirs but is another to Cognito is named."""
    world = new_world()
    world.add_old("a\N{LATIN SMALL LIGATURE FI}a")
    world.publish()
    assert wrong_first(world, "afia").code == "typed-name-is-not-exactly-theirs"


# How far they are.


def only_person(world):
    """The one person in the ledger."""
    (person,) = (person for page in world.ledger.persons() for person in page)
    return person


def become(world, state):
    """Put the person into a state, by whatever way they came there."""
    person = replace(only_person(world), state=state)
    world.table.write(Write(f"{PERSON}{person.sub}", item=person.to_item()))


@pytest.mark.parametrize(
    ("state", "created", "said"),
    [
        (PersonState.CREATING, False, "batch job has begun"),
        (PersonState.CREATING, True, "batch job has begun"),
        (PersonState.PENDING, False, "stays deleted"),
        (PersonState.CAPTURED, False, "stays deleted"),
        (PersonState.RESET, True, "dead, by design"),
        (PersonState.CAPTURED, True, "dead, by design"),
        (PersonState.KNOWN, True, "never told"),
    ],
)
def test_a_state_in_which_no_way_is_open(state, created, said):
    """Each state that closes both ways is explained, with what can be done."""
    world = published()
    if created:
        world.precreate("ada")
    become(world, state)
    first = wrong_first(world)
    assert (first.step, said in first.said) == ("state", True), first
    assert first.remedy


@pytest.mark.parametrize(("until", "code"), [(5.0, "person-is-capturing"), (-5.0, None)])
def test_a_capture_under_way(until, code):
    """A capture that is on is named; one whose time is up keeps nobody."""
    world = published()
    world.precreate("ada")
    person = only_person(world)
    now = world.parts.now()
    world.ledger.begin_capture(person.sub, person.new_sub, "token", now=now, until=now + until)
    first = first_wrong(list(walk(world).values()))
    assert (first.code if first else None) == code


def test_a_capture_that_was_cut_off_before_the_person_was_closed():
    """Who gets no token, since nobody knows whose password they have, is told how to go on."""
    world = published()
    world.precreate("ada")
    person, now = only_person(world), world.parts.now()
    world.ledger.begin_capture(person.sub, person.new_sub, "token", now=now - 60, until=now - 40)
    world.ledger.reset(person.sub, now)
    assert wrong_first(world).code == "must-reset-again"


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_user_whom_usermigration_has_created(confirmed):
    """Who is waiting for the first token has nothing wrong, unless they must choose a password first."""
    world = published()
    if confirmed:
        world.signs_in("ada", OLD_PASSWORD)
    else:
        world.cognito.forgot_password(ClientId=world.app, Username="ada")
    become(world, PersonState.MIGRATING)
    first = first_wrong(list(walk(world).values()))
    assert (first is None) == confirmed
    assert first is None or "RESET_REQUIRED" in first.said


@pytest.mark.parametrize("reason", HELD)
def test_who_is_held_is_told_why(reason):
    """Each reason for which somebody is held is said in words, with the remedy."""
    world = new_world()
    world.add_old("ada")
    world.publish(held={"ada": reason})
    first = wrong_first(world)
    assert (first.code, first.said, first.remedy) == ("person-is-held", *HELD[reason])


def test_every_reason_for_holding_somebody_is_known():
    """What the batch job publishes as a reason has its words here."""
    assert {*persons._REASONS.values(), persons.HELD_FEDERATED, UNCONFIRMED, FORGOTTEN, claims.CONFLICT} <= set(HELD)  # noqa: SLF001 -- so that none is forgotten


def test_every_reason_of_the_function_is_known():
    """What the function's code may refuse with, on the way to a capture, has its words here."""
    known = {"forgot-password-is-off", "nothing-was-asked"}  # not on the ways that are walked
    for name in ("capture", "migrate", "parts", "proof", "recognise"):
        tree = ast.parse((Path(trigger.__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
        reasons = {
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and getattr(node.func, "id", "") == "RefusalError"
            and isinstance(node.args[0], ast.Constant)
        }
        assert reasons
        assert reasons <= set(REASONS) | known


# The ledger.


def test_a_ledger_without_a_table():
    """A table that is not there is named, with the command that makes it."""
    world = published()
    world.parts.table = LedgerTable(world.ledger_client, "nowhere-to-be-found")
    first = wrong_first(world)
    assert first.step == "ledger"
    assert "cognito-migrate check" in first.said


def test_a_ledger_in_which_nothing_is_published():
    """An empty table means that nobody is captured."""
    world = published()
    empty = LedgerTable(world.ledger_client, f"{world.table.name}-empty")
    empty.create()
    world.parts.table = empty
    assert wrong_first(world).code == "nothing-published"


@pytest.mark.parametrize(
    ("change", "said"),
    [({"table": "another"}, "copy"), ({"source_pool_id": "us-east-1_other"}, "other user pools")],
)
def test_a_ledger_that_is_not_this_migrations(change, said):
    """Terms of other pools, and a table restored from a backup, are told apart."""
    world = new_world()
    if "table" in change:
        world.save_terms(**change)
    else:
        set_parts(world, source=replace(world.parts.settings.source, user_pool_id="us-east-1_other"))
    first = wrong_first(world)
    assert (first.step, said in first.said) == ("ledger", True), first


def test_a_ledger_in_another_region():
    """The function looks for the table in the new pool's Region, and nowhere else."""
    world = published()
    set_parts(world, ledger=replace(world.parts.settings.ledger, region="eu-north-1"))
    assert "Region" in wrong_first(world).said


# The set-up.


@pytest.mark.parametrize("missing", TRIGGERS)
def test_a_trigger_that_is_not_attached(missing):
    """Each trigger that the new pool lacks is named."""
    first = wrong_first(published(triggers=[name for name in TRIGGERS if name != missing]))
    assert (first.code, f" {missing} " in first.said) == ("trigger-not-attached", True)


@pytest.mark.parametrize("version", ["V1_0", "V2_0"])
def test_tokens_may_be_made_by_an_app_of_ones_own(version):
    """PostAuthentication instead of PreTokenGeneration is enough, as is a PreTokenGeneration with a version."""
    triggers = [name for name in TRIGGERS if name != "PreTokenGeneration"]
    if version == "V1_0":
        world = published(triggers=[*triggers, "PostAuthentication"])
    else:
        world = published(triggers=triggers, token_version=version)
    assert walk(world)["triggers"].verdict is StepVerdict.OK


@pytest.mark.parametrize("policy", [None, ALLOWS.replace("cognito-idp", "apigateway")])
def test_a_function_that_cognito_may_not_call(policy):
    """A function without a policy that lets Cognito in is named, with the command that mends it."""
    world = published()
    first = wrong_first(world, policy_of=lambda _: policy)
    assert first.code == "invoke-permission-missing"
    assert world.new_id in first.remedy


def test_a_policy_that_cannot_be_read():
    """Where nobody may look at the policy, or there is no Lambda, it is not checked, and nothing is wrong."""
    for error in (NotAllowedError("GetPolicy: grant lambda:GetPolicy."), FatalError("A stand-in has no Lambda.")):
        findings = walk(published(), policy_of=lambda _, error=error: raising(error)())
        assert findings["permission"].verdict is StepVerdict.UNCHECKED
        assert first_wrong(list(findings.values())) is None


def only_client(world, *flows, **options):
    """Let an app client with these flows be the new pool's only one."""
    world.cognito.delete_user_pool_client(UserPoolId=world.new_id, ClientId=world.app)
    return new_client(world.cognito, world.new_id, ExplicitAuthFlows=[*flows], **options)


def test_a_client_that_signs_in_by_srp_alone():
    """With SRP UserMigration never fires, and that is said; CUSTOM_AUTH is none the worse for it."""
    world = published()
    only_client(world, "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH")
    assert "SRP" in wrong_first(world).said
    world.precreate("ada")
    assert walk(world)["app clients"].verdict is StepVerdict.OK


def test_a_client_without_custom_challenges():
    """Who is in the new pool already needs a client with ALLOW_CUSTOM_AUTH."""
    world = published()
    only_client(world, "ALLOW_USER_PASSWORD_AUTH")
    assert walk(world)["app clients"].verdict is StepVerdict.OK
    world.precreate("ada")
    assert "ALLOW_CUSTOM_AUTH" in wrong_first(world).said


def test_clients_that_do_not_let_it_happen_are_named_beside_one_that_does():
    """One good client is enough, but the others are pointed out by their names."""
    world = published()
    new_client(world.cognito, world.new_id, ClientName="mobile", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"])
    assert "1 of 2" in walk(world)["app clients"].said
    assert "mobile" in walk(world)["app clients"].said


def test_managed_login_calls_usermigration_but_has_no_custom_challenges():
    """A client of managed login is enough for who is not in the new pool yet, and for nobody else."""
    managed = AppClient("id", managed_login=True, flows=frozenset(["ALLOW_REFRESH_TOKEN_AUTH"]))
    assert new_clients([managed], Way.USER_MIGRATION).verdict is StepVerdict.OK
    assert new_clients([managed], Way.CUSTOM_AUTH).verdict is StepVerdict.WRONG


def test_an_old_client_without_the_flow():
    """The old pool's client has to allow the flow by which passwords are proved."""
    world = published()
    world.cognito.update_user_pool_client(
        UserPoolId=world.old_id, ClientId=world.old_app, ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"]
    )
    assert "ALLOW_ADMIN_USER_PASSWORD_AUTH" in wrong_first(world).said


def test_an_old_client_that_is_not_named():
    """Without SOURCE_CLIENT_ID nothing can be proved."""
    world = published()
    set_parts(world, client_id=None)
    assert "--client-id" in wrong_first(world).remedy


def test_an_old_client_that_is_not_there():
    """An app client that was deleted is named, whatever words Cognito has for it."""
    world = published()
    world.cognito.delete_user_pool_client(UserPoolId=world.old_id, ClientId=world.old_app)
    first = wrong_first(world)
    assert (first.step, first.code) == ("old app client", "old-client-gone")
    assert f"the app client {world.old_app} does not exist in the old pool" in first.said
    on(world.source_client, "DescribeUserPoolClient", raising(refusal("ResourceNotFoundException", "Other words.")))
    assert wrong_first(world) == first


def test_an_old_client_of_a_pool_that_is_not_there():
    """Where the whole old pool is missing, that is said, and not that the app client is."""
    world = published()
    missing = raising(refusal("ResourceNotFoundException", "Not there."))
    on(world.source_client, "DescribeUserPoolClient", missing)
    on(world.source_client, "AdminGetUser", missing)
    assert "There is no user pool" in wrong_first(world).said


@pytest.mark.parametrize(("has", "said"), [(True, "the secret is right"), (False, "has no secret")])
def test_of_an_old_client_only_what_was_compared_is_said(has, said):
    """A secret is called right only where there is one; a client without one is told as that."""
    world = published(old_secret=has)
    found = walk(world)["old app client"]
    assert (found.verdict, said in found.said) == (StepVerdict.OK, True), found


@pytest.mark.parametrize(
    ("has", "given", "said"),
    [
        (True, None, "none is configured"),
        (True, "not the secret at all", "is not that of"),
        (False, "not the secret at all", "has no secret"),
    ],
)
def test_a_secret_that_is_missing_or_wrong(has, given, said):
    """The old client's secret is compared without a sign-in, and never shown."""
    world = published(old_secret=has)
    set_parts(world, client_secret_arn="a secret" if given else None)
    world.parts.read_secret = lambda _: given
    first = wrong_first(world)
    assert (first.code, said in first.said) == ("secret-wrong", True), first
    assert not given or given not in repr(first)


@pytest.mark.parametrize("told", [True, False], ids=["two secrets", "not told"])
def test_the_other_one_of_two_secrets_is_not_called_wrong(told):
    """Two may be good at once, and the old pool shows one: then only the password proves it, and it does."""
    world = published(old_secret=True)
    older = world.parts.read_secret("")
    world.cognito.add_user_pool_client_secret(UserPoolId=world.old_id, ClientId=world.old_app)
    if not told:
        on(world.source_client, "ListUserPoolClientSecrets", raising(refusal("AccessDeniedException")))
    found = walk(world, password=OLD_PASSWORD)
    client = found.pop("old app client")
    assert (client.verdict, "only a password tells" in client.said) == (StepVerdict.UNCHECKED, True), client
    assert ("2 secrets" in client.said) is told
    assert older not in repr(client)
    assert {one.verdict for one in found.values()} == {StepVerdict.OK}


def kept_by_cognito(world, arn):
    """Let Cognito keep the old client's secret in Secrets Manager: it tells the ARN in place of the secret."""

    def change(model, parsed, **_):
        if model.name == "DescribeUserPoolClient":
            parsed["UserPoolClient"].pop("ClientSecret", None)
            parsed["UserPoolClient"]["ClientSecretArn"] = arn

    world.source_client.meta.events.register("after-call", change)


def test_a_secret_that_cognito_keeps():
    """If that very secret is configured, everything is right; a copy, none, or one of another account is not."""
    world = published(old_secret=True)
    secret = world.parts.read_secret("")
    account = UserPool(world.cognito, world.new_id).describe().account
    arn = f"arn:aws:secretsmanager:us-east-1:{account}:secret:old-client-AbCdEf"
    kept_by_cognito(world, arn)
    text = json.dumps({"userPoolId": world.old_id, "userPoolClientId": world.old_app, "clientSecretValue": secret})
    world.parts.read_secret = lambda _: text
    set_parts(world, client_secret_arn=arn)
    found = walk(world, password=OLD_PASSWORD)
    assert {one.verdict for one in found.values()} == {StepVerdict.OK}
    assert secret not in repr(found)
    for configured in (None, f"{arn}-copy"):
        set_parts(world, client_secret_arn=configured)
        assert arn in wrong_first(world).remedy
    elsewhere = arn.replace(account, "444455556666")
    kept_by_cognito(world, elsewhere)
    set_parts(world, client_secret_arn=None)
    assert wrong_first(world).code == "secret-elsewhere"


def test_a_secret_of_another_app_client():
    """A secret that is not the client's is told by the client that its JSON names, without the secret."""
    world = published(old_secret=True)
    text = json.dumps({"userPoolClientId": "another", "clientSecretValue": "1n7example0secret9of8an7app6client5"})
    world.parts.read_secret = lambda _: text
    set_parts(world)
    first = wrong_first(world)
    assert (first.step, "another app client" in first.said) == ("old app client", True)
    assert "1n7example" not in repr(first)


def test_a_secret_that_cannot_be_read():
    """A secret that is not there is wrong; one that these credentials may not read is not checked."""
    world = published(old_secret=True)
    world.parts.read_secret = lambda _: raising(FatalError("The secret cannot be read."))()
    assert wrong_first(world).step == "old app client"
    world.parts.read_secret = lambda _: raising(NotAllowedError("The secret cannot be read."))()
    assert walk(world)["old app client"].verdict is StepVerdict.UNCHECKED


# The user in the old pool.


@pytest.mark.parametrize("precreated", [True, False])
def test_who_is_disabled_or_gone_in_the_old_pool(precreated):
    """Who was disabled, and then deleted, after the scan is named as that."""
    world = published()
    if precreated:
        world.precreate("ada")
    world.disable_old("ada")
    assert wrong_first(world).code == "old-user-disabled"
    world.delete_old("ada")
    assert wrong_first(world).code == "old-user-gone"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("UNCONFIRMED", "old-user-unconfirmed"),
        ("RESET_REQUIRED", "old-user-must-reset"),
        ("FORCE_CHANGE_PASSWORD", "temporary-password"),
        ("EXTERNAL_PROVIDER", "old-user-federated"),
    ],
)
def test_a_status_whose_password_proves_nothing(status, code):
    """A status in the old pool that keeps the password from counting is known without a sign-in."""
    world = published()
    world.old_user("ada").status = status
    assert wrong_first(world, password=OLD_PASSWORD).code == code
    assert world.calls["old.AdminInitiateAuth"] == 0


@pytest.mark.parametrize(("rule", "verdict"), [("reset", StepVerdict.WRONG), ("capture", StepVerdict.OK)])
def test_a_second_factor_and_what_the_rule_does_with_it(rule, verdict):
    """Who has MFA must reset the password, unless MFA_USERS is capture; then the password alone is enough."""
    world = published()
    world.second_factor("ada", "SOFTWARE_TOKEN_MFA", preferred="SOFTWARE_TOKEN_MFA")
    set_parts(world, mfa_users=rule)
    findings = walk(world, password=OLD_PASSWORD)
    assert findings["old user"].verdict is verdict
    if rule == "reset":
        assert "MFA_USERS=capture" in findings["old user"].remedy
    else:
        assert findings["password"].verdict is verdict


def test_a_challenge_that_comes_only_with_the_password():
    """Where the old pool asks for a factor of which the user's record says nothing, the password is not enough."""
    world = published()
    answering(world.source_client, "AdminInitiateAuth", {"ChallengeName": "MFA_SETUP", "Session": "s" * 20})
    assert wrong_first(world, password=OLD_PASSWORD).code == "mfa"


def test_attributes_that_the_new_pool_refuses():
    """What the new pool's schema refuses is named by attribute, never by value."""
    world = published()
    world.update_old("ada", **{"custom:tenant": "a-value"})
    schema = UserPool(world.cognito, world.new_id).describe().schema
    tenant = replace(schema.attributes["custom:tenant"], longest=3)
    world.save_terms(schema=replace(schema, attributes={**schema.attributes, "custom:tenant": tenant}))
    first = wrong_first(world)
    assert (first.code, "custom:tenant" in first.said) == ("attributes-the-new-pool-refuses", True), first
    assert "a-value" not in repr(first)


def test_a_name_taken_from_another_person_since():
    """Who took another person's sign-in name in the old pool after the scan is named."""
    world = new_world("alias", old_kind="plain")
    world.add_old("ada", {"email": "ada@x.com", "email_verified": "true"})
    world.add_old("bob", {"email": "bob@x.com", "email_verified": "true"})
    world.publish()
    world.update_old("ada", email="bob@x.com", email_verified="true")
    assert wrong_first(world).code == "sign-in-name-taken-after-the-scan"


# The new pool's user.


@pytest.mark.parametrize("how", ["disabled", "unconfirmed", "another"])
def test_a_new_user_who_is_not_as_recorded(how):
    """Who is disabled, not CONFIRMED, or made anew in the new pool is not captured."""
    world = published()
    world.precreate("ada")
    user = world.user("ada")
    if how == "disabled":
        user.enabled = False
    elif how == "unconfirmed":
        user.status = "RESET_REQUIRED"
    else:
        user.sub = user.attributes["sub"] = "another-sub"
    assert wrong_first(world).code in {
        "new-user-is-not-as-recorded",
        "new-user-is-not-confirmed",
        "another-persons-marker",
    }


# The password.


def test_a_wrong_password_and_a_lock():
    """A wrong password is told apart from a user whom the old pool has locked out."""
    world = published()
    assert wrong_first(world, password=WRONG_PASSWORD).code == "wrong-password"
    for _ in range(5):
        walk(world, password=WRONG_PASSWORD)
    assert wrong_first(world, password=OLD_PASSWORD).code == "locked-out"


@pytest.mark.parametrize("password", ["0ld Passw0rd!", "0ld-Passw0rd!\t", "0ld-Passw0rd!" + 250 * "x"])
def test_a_password_that_no_call_can_set(password):
    """A password with a blank, or of more than 256 characters, has to be reset by who is in the new pool already."""
    world = published()
    world.old_user("ada").password = password
    assert walk(world, password=password)["password"].verdict is StepVerdict.OK
    world.precreate("ada")
    first = wrong_first(world, password=password)
    assert first.code == "too-weak-for-the-new-pool"
    assert "with a blank" in first.said


def test_a_password_too_weak_for_the_new_pool():
    """For who is in the new pool already its policy counts, and UserMigration takes any password."""
    world = published(pool_options={"Policies": {"PasswordPolicy": {"MinimumLength": 20}}})
    assert walk(world, password=OLD_PASSWORD)["password"].verdict is StepVerdict.OK
    world.precreate("ada", password="A-very-l0ng-random-password!")
    assert wrong_first(world, password=OLD_PASSWORD).code == "too-weak-for-the-new-pool"


def test_an_old_pool_that_does_not_answer_in_time():
    """An answer that comes too late for the function is a fault of the old pool's, and no wrong password."""
    world = published()
    on(world.source_client, "AdminInitiateAuth", raising(no_answer()))
    first = wrong_first(world, password=OLD_PASSWORD)
    assert (first.step, "3 s" in first.remedy) == ("password", True)


# What these credentials may not do.


@pytest.mark.parametrize(
    ("side", "operation", "verdict"),
    [
        ("source", "AdminGetUser", StepVerdict.WRONG),
        ("source", "AdminListGroupsForUser", StepVerdict.WRONG),
        ("source", "AdminInitiateAuth", StepVerdict.WRONG),
        ("source", "DescribeUserPoolClient", StepVerdict.UNCHECKED),
        ("target", "AdminGetUser", StepVerdict.WRONG),
        ("target", "DescribeUserPool", StepVerdict.UNCHECKED),
        ("target", "ListUserPoolClients", StepVerdict.UNCHECKED),
        ("target", "DescribeUserPoolClient", StepVerdict.UNCHECKED),
        ("ledger", "GetItem", StepVerdict.WRONG),
        ("ledger", "DescribeTable", StepVerdict.WRONG),
    ],
)
def test_a_call_that_is_not_allowed(side, operation, verdict):
    """The call is named; it is wrong if the function makes it, too, and otherwise only leaves something unchecked."""
    world = published()
    client = getattr(world, f"{side}_client")
    on(client, operation, raising(refusal("AccessDeniedException")))
    findings = list(Diagnosis(world.parts, "ada", Asked(OLD_PASSWORD), lambda _: ALLOWS).findings())
    told = [one for one in findings if operation in one.said + one.remedy]
    assert told
    assert told[0].verdict is verdict
    assert (first_wrong(findings) is None) == (verdict is StepVerdict.UNCHECKED)

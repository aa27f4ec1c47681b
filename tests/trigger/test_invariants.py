"""What must always hold (design, section 3), as far as the function has a part in it: one test for each."""

from __future__ import annotations

import itertools
import logging
import traceback

import pytest
from botocore.exceptions import ClientError
from mishaps import no_answer, on, quietly, raising, refusal
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, WRONG_PASSWORD, new_world, token_groups

from sandbox.triggers.lambdas import Context
from trigger.handler import Handler
from trigger.outcome import DeniedError
from userpool.person import PersonState

CANARY = "C4nary-in-the-mine!"
ADDRESS = {"email": "bob@x.com", "email_verified": "true"}
MIGRATE, FORGOT, VERIFY, TOKEN, SIGN_UP, CHOSEN = (
    "UserMigration_Authentication",
    "UserMigration_ForgotPassword",
    "VerifyAuthChallengeResponse_Authentication",
    "TokenGeneration_Authentication",
    "PreSignUp_SignUp",
    "PostConfirmation_ConfirmForgotPassword",
)


def event_of(world, source, name="bob", password=OLD_PASSWORD):
    """An event of a source with a right answer or password in it."""
    return world.event(
        source,
        name,
        password=password,
        challengeAnswer=password,
        privateChallengeParameters={"asked": "password"},
        groupConfiguration={"groupsToOverride": []},
    )


def precreated(world, name="bob", **options):
    """Make a user whom the batch created; return the old sub."""
    sub = world.add_old(name, **options)
    world.publish()
    world.precreate(name)
    world.warm()
    return sub


def mishaps(world):
    """Everything that can go wrong in a call: a mistake that quotes the password, and Cognito quoting what it got."""
    mistake = RuntimeError(f"made a mistake with {CANARY}")
    quoting = (
        refusal("InvalidParameterException", f"Value '{CANARY}' at 'password' failed; {CANARY} is no good"),
        refusal("InternalErrorException", CANARY, 500),
    )
    calls = [
        (world.source_client, "AdminInitiateAuth", [mistake, no_answer(), *quoting]),
        (world.target_client, "AdminSetUserPassword", [mistake, no_answer(), *quoting]),
        (world.source_client, "AdminGetUser", [mistake, no_answer()]),
        (world.ledger_client, "UpdateItem", [mistake, no_answer()]),
    ]
    return [
        (client, operation, error, after)
        for client, operation, errors in calls
        for error in errors
        for after in (False, True)
    ]


@pytest.fixture
def loud(caplog):
    """Every logger there is at its loudest, except where the code itself quietens one."""
    caplog.set_level(logging.DEBUG)
    for name in ("boto3", "botocore", "urllib3", "trigger", "userpool"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_invariant_01_a_password_is_in_no_log_table_or_exception(loud, capsys):
    """A password is in no log, file, table, exception text or report, at any level. Events are never logged."""
    world = new_world(old_secret=True)
    for name in ("ann", "bob", "eve"):
        world.add_old(name, password=CANARY)
    world.publish()
    world.precreate("bob")
    world.handler = Handler(world.parts)
    answers, raised = [], []

    def send(source, name, password=CANARY):
        try:
            answers.append(str(world.send(event_of(world, source, name, password))))
        except DeniedError as error:
            raised.extend([*traceback.format_exception(error), repr(error.__context__)])

    for client, operation, error, after in mishaps(world):
        mend = on(client, operation, raising(error), after=after)
        send(MIGRATE, "ann")
        send(VERIFY, "bob")
        mend()
        send(MIGRATE, "ann", f"{CANARY}-wr0ng")
        send(VERIFY, "bob", f"{CANARY}-wr0ng")
        world.local.world.clock.advance(60)
    assert world.captures("bob", CANARY) or world.signs_in("bob", CANARY)
    assert world.signs_in("ann", CANARY)
    with quietly("NotAuthorizedException"):
        world.sign_in("eve", f"{CANARY}-wr0ng")
    said = capsys.readouterr()
    assert '"outcome": "migrated"' in said.out
    assert '"outcome": "fault"' in said.out
    assert loud.records
    items = [item for page in world.table.items("") for item in page]
    for text in (said.out, said.err, loud.text, repr(world.parts), str(items), *raised):
        assert CANARY not in text
        assert "example.com" not in text  # nor anybody's address
    assert raised
    assert CANARY not in str(answers)


def by_forgetting(world):
    """The user chooses a password with a code."""
    world.forget("bob")


def by_changing(world):
    """The user changes the password with an access token."""
    token = world.sign_in("bob", OLD_PASSWORD)["AuthenticationResult"]["AccessToken"]
    world.cognito.change_password(AccessToken=token, PreviousPassword=OLD_PASSWORD, ProposedPassword=NEW_PASSWORD)


def by_administrator(world):
    """A help desk sets a password, and `close` records it."""
    world.cognito.admin_set_user_password(
        UserPoolId=world.new_id, Username="bob", Password=NEW_PASSWORD, Permanent=True
    )
    world.ledger.reset(world.old_user("bob").sub, world.parts.now())


def knock(world):
    """Try the old password in every way there is."""
    assert not world.captures("bob", OLD_PASSWORD)
    assert not world.signs_in("bob", OLD_PASSWORD)
    assert not world.signs_in_by_srp("bob", OLD_PASSWORD)
    assert not world.send(event_of(world, MIGRATE))["userAttributes"]
    assert not world.send(event_of(world, FORGOT))["userAttributes"]
    assert not world.send(event_of(world, VERIFY))["answerCorrect"]
    world.cognito.forgot_password(ClientId=world.app, Username="bob")
    assert not world.captures("bob", OLD_PASSWORD)


WAYS = [
    *itertools.product(["captured", "migrated"], [by_forgetting, by_changing, by_administrator]),
    *itertools.product(["pending"], [by_forgetting, by_administrator]),  # without a token nobody changes a password
]


@pytest.mark.parametrize(("came", "how"), WAYS)
def test_invariant_02_the_old_password_is_dead(world, how, came):
    """Once captured or reset, the old pool's password is never accepted again, by any path."""
    sub = world.add_old("bob")
    world.publish()
    if came != "migrated":
        world.precreate("bob")
    if came == "captured":
        assert world.capture("bob", OLD_PASSWORD) == "captured"
    if came == "migrated":
        assert world.signs_in("bob", OLD_PASSWORD)
    how(world)
    assert world.state(sub).final
    before = world.everything()
    knock(world)
    assert world.everything() == before
    assert world.signs_in("bob", NEW_PASSWORD)


@pytest.mark.parametrize("how", [by_forgetting, by_administrator])
def test_invariant_03_nobodys_password_is_overwritten(world, how):
    """No event overwrites the password of a person who has one, not even one that began before they had it."""
    sub = precreated(world)
    how(world)
    world.calls.clear()
    for _ in range(2):
        for source in (VERIFY, MIGRATE, FORGOT, TOKEN):
            world.send(event_of(world, source))
    assert world.calls["new.AdminSetUserPassword"] == 0
    assert world.user("bob").password == NEW_PASSWORD
    assert world.state(sub) is PersonState.RESET


def test_invariant_04_a_wrong_password_changes_nothing_and_no_challenge_gives_a_token(world):
    """A wrong password creates nobody and changes nothing; our code mints no token."""
    precreated(world, groups=["admins"])
    world.add_old("ann")
    world.publish()
    before = world.everything()
    assert not world.signs_in("ann", WRONG_PASSWORD)
    assert not world.signs_in("bob", WRONG_PASSWORD)
    asked = world.challenge("bob")
    for password in (WRONG_PASSWORD, WRONG_PASSWORD):
        asked = world.answer("bob", asked, password)
    assert world.everything() == before
    told = world.answer("bob", asked, OLD_PASSWORD)
    assert told["ChallengeParameters"]["outcome"] == "captured"
    assert "AuthenticationResult" not in told
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        world.answer("bob", told, OLD_PASSWORD)


def test_invariant_05_a_membership_is_given_once_and_a_deleted_user_stays_deleted(world):
    """Revoked in the new pool, a membership stays revoked, whatever follows. A user deleted there stays deleted."""
    precreated(world, groups=["admins"])
    world.captures("bob", OLD_PASSWORD)
    answer = world.sign_in("bob", OLD_PASSWORD)
    assert token_groups(answer) == ["admins"]
    world.cognito.admin_remove_user_from_group(UserPoolId=world.new_id, Username="bob", GroupName="admins")
    world.publish()
    for _ in range(3):
        assert token_groups(world.sign_in("bob", OLD_PASSWORD)) == []
        assert token_groups(world.refresh(answer)) == []
        world.send(event_of(world, TOKEN))
    world.forget("bob")
    assert token_groups(world.sign_in("bob", NEW_PASSWORD)) == []
    world.cognito.admin_delete_user(UserPoolId=world.new_id, Username="bob")
    world.publish()
    for password in (OLD_PASSWORD, NEW_PASSWORD):
        assert not world.signs_in("bob", password)
        assert not world.captures("bob", password)
    world.cognito.forgot_password(ClientId=world.app, Username="bob")
    assert world.new_users() == []


def test_invariant_06_nobody_gains():
    """No membership, attribute, password or name goes to an account that is not this migration's; none is merged."""
    world = new_world("alias", old_kind="alias")
    world.add_old("bob", ADDRESS, groups=["admins"])
    world.add_old("Ann", {})
    world.add_old("ann", {})
    world.publish(held={"Ann": "collide", "ann": "collide"})
    world.cognito.admin_create_user(
        UserPoolId=world.new_id,
        Username="eve",
        UserAttributes=[{"Name": "email", "Value": "bob@x.com"}, {"Name": "email_verified", "Value": "true"}],
    )
    world.cognito.admin_set_user_password(
        UserPoolId=world.new_id, Username="eve", Password=NEW_PASSWORD, Permanent=True
    )
    before = world.everything()
    assert token_groups(world.sign_in("eve", NEW_PASSWORD)) == []
    assert token_groups(world.sign_in("bob@x.com", NEW_PASSWORD)) == []
    for name in ("eve", "bob@x.com", "ann", "Ann", "ANN"):
        assert not world.captures(name, OLD_PASSWORD)
        assert not world.signs_in(name, OLD_PASSWORD)
    assert world.everything() == before


def test_invariant_07_disabled_stays_disabled(world):
    """Disabled stays disabled; who was disabled or deleted in the old pool after the scan gets no first token."""
    for name in ("scanned", "later", "migrating", "gone"):
        world.add_old(name)
    world.disable_old("scanned")
    world.publish()
    for name in ("scanned", "later", "gone"):
        world.precreate(name, password=NEW_PASSWORD)
    world.disable_old("later")
    world.disable_old("migrating")
    world.delete_old("gone")
    before = world.everything()
    for name in ("scanned", "later", "migrating", "gone"):
        with quietly("UserLambdaValidationException"):
            assert not world.signs_in(name, NEW_PASSWORD)
        assert not world.signs_in(name, OLD_PASSWORD)
        assert not world.captures(name, OLD_PASSWORD)
    assert not world.user("scanned").enabled
    assert world.user("migrating") is None
    assert world.everything() == before


@pytest.mark.parametrize("kind", ["plain", "alias"])
@pytest.mark.parametrize("flag", ["true", "false"])
def test_invariant_08_what_is_verified_crosses_truthfully(kind, flag):
    """Verified flags cross as they are, never upgraded; an unverified address does not become a sign-in name."""
    world = new_world(kind)
    world.add_old("bob", {**ADDRESS, "email_verified": flag})
    world.publish()
    assert world.signs_in("bob", OLD_PASSWORD)
    assert world.new_user("bob")["attributes"]["email_verified"] == flag
    assert world.signs_in("bob@x.com", OLD_PASSWORD) is (kind == "alias" and flag == "true")


def outage(world, what):
    """Take something away that the function needs; return what remains of the event's time."""
    if what == "ledger":
        for operation in ("GetItem", "UpdateItem"):
            on(world.ledger_client, operation, raising(no_answer()))
    if what == "old pool":
        for operation in ("AdminInitiateAuth", "AdminGetUser", "AdminListGroupsForUser"):
            on(world.source_client, operation, raising(no_answer()))


@pytest.mark.parametrize("what", ["ledger", "old pool", "time"])
def test_invariant_11_what_cannot_be_done_is_refused(world, what):
    """No ledger, no old pool, no time left: refused, with an answer that tells nothing, and nothing is half done."""
    precreated(world, groups=["admins"])
    world.add_old("ann")
    world.publish()
    before = world.everything()
    outage(world, what)
    context = Context("function", ends=0) if what == "time" else None  # it has no millisecond left
    empty = world.event(MIGRATE, "ann")["response"]
    for source in (MIGRATE, FORGOT):
        assert world.send(event_of(world, source, "ann"), context) == empty
    with pytest.raises(DeniedError, match=r"^This is not possible at the moment\.$"):
        world.send(event_of(world, TOKEN), context)
    assert world.send(event_of(world, VERIFY), context) == {"answerCorrect": False}
    if what == "ledger":
        for source, name in ((SIGN_UP, "stranger"), (CHOSEN, "bob")):
            with pytest.raises(DeniedError):
                world.send(event_of(world, source, name), context)
    assert {line["outcome"] for line in world.log} == {"fault"}
    assert world.everything() == before


@pytest.mark.parametrize("mfa_users", ["reset", "capture"])
def test_invariant_12_nobody_loses_a_second_factor_silently(mfa_users):
    """MFA users are never captured by password alone, by either path, unless told."""
    world = new_world(environment={"MFA_USERS": mfa_users})
    for name in ("ann", "bob"):
        world.add_old(name)
        world.second_factor(name, "SOFTWARE_TOKEN_MFA")
    world.publish()
    world.precreate("bob")
    told = mfa_users == "capture"
    assert world.captures("bob", OLD_PASSWORD) is told
    assert world.signs_in("ann", OLD_PASSWORD) is told
    assert world.signs_in("bob", OLD_PASSWORD) is told
    assert {line["reason"] for line in world.log if line["outcome"] == "reset-needed"} == (set() if told else {"mfa"})


def test_the_marker_is_what_users_are_told_by(world):
    """Every user that the function lets Cognito create carries the old sub."""
    sub = world.add_old("bob")
    world.publish()
    world.sign_in("bob", OLD_PASSWORD)
    assert world.new_user("bob")["attributes"][MARKER] == sub

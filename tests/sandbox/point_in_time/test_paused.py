"""What a recovery refuses while it is under way, and what goes on."""

from __future__ import annotations

import pytest
from live import GOOGLE, create_user, refused
from recovering import QUARTER, initiate_recovery
from signing_in import NEW_PASSWORD, PASSWORD, add_bob, initiate, new_client, respond, set_password, sign_in

from sandbox.point_in_time.recoveries import PAUSED, Status
from sandbox.sign_in import managed_login, totp

BOB = {"Username": "bob"}
OPERATION_NOT_ENABLED = "OperationNotEnabledException"


@pytest.fixture
def world(local):
    """What is behind `cognito`."""
    return local.world


@pytest.fixture
def pool_id(cognito, new_pool):
    """A pool with bob, who signs in by password, and a group."""
    pool_id = new_pool()
    add_bob(cognito, pool_id)
    cognito.create_group(UserPoolId=pool_id, GroupName="staff")
    return pool_id


@pytest.fixture
def client_id(cognito, pool_id):
    """An app client of the pool."""
    return new_client(cognito, pool_id)


@pytest.mark.parametrize("status", Status)
def test_writes_wait_for_the_end_of_a_recovery(cognito, world, pool_id, status):
    """In five of the states writes are refused; in the others they go on."""
    world.set_recovery(world.pause_writes(pool_id, to=world.clock.now()), status)
    if status in PAUSED:
        with refused(OPERATION_NOT_ENABLED):
            create_user(cognito, pool_id, "ann")
    else:
        create_user(cognito, pool_id, "ann")
    assert len(PAUSED) == 5


WRITES = [
    ("admin_add_user_to_group", {**BOB, "GroupName": "staff"}),
    ("admin_create_user", {"Username": "ann"}),
    ("admin_delete_user", BOB),
    ("admin_delete_user_attributes", {**BOB, "UserAttributeNames": ["name"]}),
    ("admin_disable_user", BOB),
    ("admin_enable_user", BOB),
    ("admin_remove_user_from_group", {**BOB, "GroupName": "staff"}),
    ("admin_reset_user_password", BOB),
    ("admin_set_user_mfa_preference", {**BOB, "SMSMfaSettings": {"Enabled": False}}),
    ("admin_set_user_password", {**BOB, "Password": PASSWORD, "Permanent": True}),
    ("admin_set_user_settings", {**BOB, "MFAOptions": []}),
    ("admin_update_user_attributes", {**BOB, "UserAttributes": []}),
    ("admin_user_global_sign_out", BOB),
    ("create_group", {"GroupName": "guests"}),
    ("update_group", {"GroupName": "staff"}),
    ("delete_group", {"GroupName": "staff"}),
]


@pytest.mark.parametrize(("operation", "parameters"), WRITES, ids=[operation for operation, _ in WRITES])
def test_an_administrator_writes_nothing(cognito, world, pool_id, operation, parameters):
    """Every call that writes users, memberships or groups is refused."""
    world.pause_writes(pool_id)
    with refused(OPERATION_NOT_ENABLED):
        getattr(cognito, operation)(UserPoolId=pool_id, **parameters)


def test_a_user_writes_nothing(cognito, world, pool_id, client_id):
    """Sign-up, forgotten passwords and a user's own changes are refused."""
    token = sign_in(cognito, client_id)["AuthenticationResult"]["AccessToken"]
    world.pause_writes(pool_id)
    for operation, parameters in (
        ("sign_up", {"ClientId": client_id, "Username": "ann", "Password": PASSWORD}),
        ("forgot_password", {"ClientId": client_id, **BOB}),
        ("confirm_forgot_password", {"ClientId": client_id, **BOB, "ConfirmationCode": "1", "Password": PASSWORD}),
        ("change_password", {"AccessToken": token, "PreviousPassword": PASSWORD, "ProposedPassword": NEW_PASSWORD}),
        ("update_user_attributes", {"AccessToken": token, "UserAttributes": [{"Name": "name", "Value": "B"}]}),
        ("associate_software_token", {"AccessToken": token}),
        ("delete_user", {"AccessToken": token}),
    ):
        with refused(OPERATION_NOT_ENABLED):
            getattr(cognito, operation)(**parameters)
    assert cognito.get_user(AccessToken=token)["Username"] == "bob"


def test_sign_ins_and_reads_go_on(cognito, world, pool_id, client_id):
    """Who has a password signs in and refreshes, and administrators read."""
    world.pause_writes(pool_id, "RESTORING")
    tokens = sign_in(cognito, client_id)["AuthenticationResult"]
    initiate(cognito, client_id, "REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": tokens["RefreshToken"]})
    assert cognito.admin_get_user(UserPoolId=pool_id, Username="bob")
    assert cognito.list_users(UserPoolId=pool_id)["Users"]
    assert cognito.list_groups(UserPoolId=pool_id)["Groups"]


def test_another_pool_goes_on(cognito, world, new_pool, pool_id):
    """A recovery pauses the writes of its own pool only."""
    world.pause_writes(pool_id)
    create_user(cognito, new_pool(), "ann")


@pytest.mark.unproven("the model says that these sign-ins fail, and not in which of their calls")
@pytest.mark.parametrize("fails", ["response", "start"])
def test_a_new_password_waits(cognito, world, pool_id, client_id, fails):
    """A sign-in with NEW_PASSWORD_REQUIRED fails, at its first call or its second."""
    set_password(cognito, pool_id, "bob", permanent=False)
    world.recoveries.rules.challenge_fails = fails
    restore_id = world.pause_writes(pool_id)
    if fails == "start":
        with refused(OPERATION_NOT_ENABLED):
            sign_in(cognito, client_id)
    else:
        asked = sign_in(cognito, client_id)
        with refused(OPERATION_NOT_ENABLED):
            respond(cognito, client_id, asked, {"NEW_PASSWORD": NEW_PASSWORD})
    world.set_recovery(restore_id, "PREVIEW_CANCELLED")
    answer = respond(cognito, client_id, sign_in(cognito, client_id), {"NEW_PASSWORD": NEW_PASSWORD})
    assert answer["AuthenticationResult"]


def test_a_software_token_waits(cognito, world, pool_id, client_id):
    """A code of an authenticator app is refused until the recovery ends."""
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool_id, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="OPTIONAL"
    )
    with world.lock:
        bob = world.pool(pool_id).users.find("bob")
        bob.totp_secret, bob.mfa = totp.new_secret(), ["SOFTWARE_TOKEN_MFA"]
    restore_id = world.pause_writes(pool_id)
    asked = sign_in(cognito, client_id)
    code = {"SOFTWARE_TOKEN_MFA_CODE": totp.code(bob.totp_secret, world.clock.now())}
    with refused(OPERATION_NOT_ENABLED):
        respond(cognito, client_id, asked, code)
    world.set_recovery(restore_id, "PREVIEW_CANCELLED")
    assert respond(cognito, client_id, asked, code)["AuthenticationResult"]


def test_a_function_creates_nobody(cognito, world, local, pool_id, client_id):
    """A UserMigration function is asked, and the user that it names is not created."""
    asked = []

    def migrate(event, _):
        asked.append(event["userName"])
        event["response"] = {"userAttributes": {"username": "ann"}, "finalUserStatus": "CONFIRMED"}
        return event

    world.functions["UserMigration"] = migrate
    arn = "arn:aws:lambda:us-east-1:123456789012:function:UserMigration"
    cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig={"UserMigration": arn})
    restore_id = world.pause_writes(pool_id)
    with refused(OPERATION_NOT_ENABLED):
        sign_in(cognito, client_id, "ann")
    assert asked == ["ann"]
    world.set_recovery(restore_id, "PREVIEW_CANCELLED")
    assert sign_in(cognito, client_id, "ann")["AuthenticationResult"]


def test_federated_users_sign_in_if_nothing_is_new(cognito, world, pool_id, client_id):
    """Users of another provider sign in if they have before, and if their provider tells nothing new."""
    cognito.create_identity_provider(UserPoolId=pool_id, **GOOGLE)

    def come(subject, name):
        with world.lock:
            return managed_login.sign_in_from(world, client_id, "Google", subject, {"name": name})

    come("1", "Ann")
    world.pause_writes(pool_id)
    assert come("1", "Ann")["AuthenticationResult"]
    for subject, name in (("1", "Anna"), ("2", "Ben")):
        with pytest.raises(Exception, match=OPERATION_NOT_ENABLED):
            come(subject, name)


@pytest.mark.unproven("no document says what a paused write answers")
@pytest.mark.parametrize("code", ["OperationNotEnabledException", "NotAuthorizedException", "InternalErrorException"])
def test_the_refusal_can_be_chosen(cognito, world, pool_id, code):
    """A test chooses the error code of a paused write."""
    world.recoveries.rules.refusal = code
    world.pause_writes(pool_id)
    with refused(code):
        create_user(cognito, pool_id, "ann")


@pytest.mark.unproven("no document says whether a pool's settings can be written during a recovery")
@pytest.mark.parametrize("paused", [False, True])
def test_settings_wait_if_a_test_wants_it(cognito, world, pool_id, paused):
    """Whether changes of a pool's settings are paused as well is a switch."""
    world.recoveries.rules.pauses_settings = paused
    world.pause_writes(pool_id)
    if paused:
        with refused(OPERATION_NOT_ENABLED):
            new_client(cognito, pool_id)
    else:
        assert new_client(cognito, pool_id)


def test_the_pause_begins_with_the_preview(cognito, world, pool_id):
    """InitiatePointInTimeRecovery alone pauses writes, and CancelPointInTimeRecovery resumes them."""
    world.clock.advance(2 * QUARTER)
    restore_id = initiate_recovery(cognito, pool_id, world.clock.now() - QUARTER)["RestoreId"]
    with refused(OPERATION_NOT_ENABLED):
        create_user(cognito, pool_id, "ann")
    cognito.cancel_point_in_time_recovery(UserPoolId=pool_id, RestoreId=restore_id)
    create_user(cognito, pool_id, "ann")

"""Second factors that cannot cross: named in the ID token until the user has one; and SMS, which can."""

from __future__ import annotations

import pytest
from mishaps import no_answer, on, raising, refusal
from signing_in import claims
from triggering import MARKER, NEW_PASSWORD, OLD_PASSWORD, new_world

from trigger.settings import TriggerSettings
from userpool.errors import SettingsError
from userpool.settings import Rules, UserRules

TOTP, PASSKEY = "SOFTWARE_TOKEN_MFA", "WEB_AUTHN"
CLAIM = {"ENROL_CLAIM": "mfa_to_enrol"}
PREFERENCES = Rules(UserRules(mfa="preferences"))
PHONE = {"phone_number": "+15550100", "phone_number_verified": "true"}
MAIL = {"email": "bob@example.com", "email_verified": "true"}


def enrolling(world, *factors):
    """Make a user of the new pool who has these to enrol; return the old sub."""
    sub = world.add_old("bob")
    world.publish()
    world.precreate("bob", password=NEW_PASSWORD)
    world.put(sub, world.state(sub), enrol=frozenset(factors))
    world.warm()
    return sub


@pytest.mark.parametrize("version", [None, "V2_0", "V3_0"])
def test_what_is_to_be_enrolled_is_in_the_id_token(version):
    """Every ID token names it, those of a refresh too; the access token does not."""
    world = new_world(token_version=version, environment=CLAIM)
    enrolling(world, TOTP, PASSKEY)
    answer = world.sign_in("bob", NEW_PASSWORD)
    assert claims(answer)["mfa_to_enrol"] == f"{TOTP},{PASSKEY}"
    assert "mfa_to_enrol" not in claims(answer, "AccessToken")
    assert claims(world.refresh(answer))["mfa_to_enrol"] == f"{TOTP},{PASSKEY}"


def test_who_has_a_second_factor_is_asked_no_more():
    """Once the user of the new pool has one, the claim ends, and so does looking for it."""
    world = new_world(environment=CLAIM)
    sub = enrolling(world, TOTP)
    first = world.sign_in("bob", NEW_PASSWORD)
    world.user("bob").mfa = [TOTP]
    assert "mfa_to_enrol" not in claims(world.refresh(first))
    assert world.ledger.person(sub).enrol == frozenset()
    world.calls.clear()
    assert "mfa_to_enrol" not in claims(world.refresh(first))
    assert not world.calls["new.AdminGetUser"]


def test_a_factor_that_was_set_for_the_user_does_not_end_the_claim_of_another():
    """Of a TOTP app and SMS, which the batch has set, the app is still to be enrolled, and is all that is named."""
    world = new_world(environment=CLAIM)
    sub = enrolling(world, TOTP, "SMS_MFA")
    world.user("bob").mfa = ["SMS_MFA"]
    assert claims(world.sign_in("bob", NEW_PASSWORD))["mfa_to_enrol"] == TOTP
    assert world.ledger.person(sub).enrol == {TOTP}


@pytest.mark.parametrize("told", [True, False])
def test_a_passkey_ends_its_claim_where_cognito_tells_it(told):
    """AdminGetUserAuthFactors tells passkeys; where it is not allowed, other factors are still looked at."""
    world = new_world(environment=CLAIM)
    triggers = world.cognito.describe_user_pool(UserPoolId=world.new_id)["UserPool"]["LambdaConfig"]
    policies = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    world.cognito.update_user_pool(UserPoolId=world.new_id, Policies=policies, LambdaConfig=triggers)
    sub = enrolling(world, TOTP, PASSKEY)
    world.user("bob").passkey, world.user("bob").mfa = True, [TOTP]
    if not told:
        on(world.target_client, "AdminGetUserAuthFactors", raising(refusal("AccessDeniedException")), times=9)
    said = claims(world.sign_in("bob", NEW_PASSWORD)).get("mfa_to_enrol")
    assert (said, world.ledger.person(sub).enrol) == ((None, frozenset()) if told else (PASSKEY, {PASSKEY}))


def test_in_doubt_the_user_is_asked_once_more():
    """If nobody can tell whether the user has a second factor by now, the token is given, with the claim."""
    world = new_world(environment=CLAIM)
    sub = enrolling(world, TOTP)
    on(world.target_client, "AdminGetUser", raising(no_answer()), times=9)
    assert claims(world.sign_in("bob", NEW_PASSWORD))["mfa_to_enrol"] == TOTP
    assert world.ledger.person(sub).enrol == {TOTP}


def test_without_the_setting_nobody_is_asked_and_nothing_is_called(world):
    """Without ENROL_CLAIM, and for whoever has nothing to enrol, a token costs what it did."""
    enrolling(world, TOTP)
    assert "mfa_to_enrol" not in claims(world.sign_in("bob", NEW_PASSWORD))
    assert not world.calls["new.AdminGetUser"]
    other = new_world(environment=CLAIM)
    enrolling(other)
    assert "mfa_to_enrol" not in claims(other.sign_in("bob", NEW_PASSWORD))
    assert not other.calls["new.AdminGetUser"]


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "cognito:groups", "custom:mfa", "dev:mfa", "scope"])
def test_a_claim_of_cognitos_is_refused(name):
    """A name that Cognito keeps for itself, or that an attribute may have, is refused when the function begins."""
    environment = {"SOURCE_USER_POOL_ID": "eu-west-1_a", "TARGET_USER_POOL_ID": "eu-west-1_b", "LEDGER_TABLE": "table"}
    with pytest.raises(SettingsError, match="ENROL_CLAIM"):
        TriggerSettings.of({**environment, "ENROL_CLAIM": name})


def sms(world, rules, attributes, *listed, mode="OPTIONAL", **terms):
    """Make a user with SMS MFA in the old pool, known to the ledger; MFA is optional in the new one."""
    world.add_old("bob", attributes)
    world.second_factor("bob", *listed, mode=mode)
    world.cognito.set_user_pool_mfa_config(
        UserPoolId=world.new_id,
        MfaConfiguration="OPTIONAL",
        SmsMfaConfiguration={"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms"}},
    )
    world.publish()
    world.save_terms(rules=rules, **terms)
    world.warm()


@pytest.mark.parametrize(
    ("rules", "attributes", "factors"),
    [
        pytest.param(PREFERENCES, {**MAIL, **PHONE}, ["SMS_MFA"], id="crosses"),
        pytest.param(PREFERENCES, MAIL, None, id="no number"),
        pytest.param(Rules(), {**MAIL, **PHONE}, None, id="ignored"),
    ],
)
@pytest.mark.parametrize("way", ["sign-in", "forgot-password"])
def test_sms_crosses_with_a_user_migration(rules, attributes, factors, way):
    """With `users.mfa: preferences` whom UserMigration creates has SMS as in the old pool; a number is needed."""
    world = new_world()
    sms(world, rules, attributes, "SMS_MFA")
    if way == "sign-in":
        assert not world.signs_in("bob", OLD_PASSWORD)
    else:
        world.cognito.forgot_password(ClientId=world.app, Username="bob")
    assert world.new_user("bob").get("UserMFASettingList") == factors
    assert world.new_user("bob")["attributes"][MARKER]


@pytest.mark.parametrize(
    ("listed", "terms", "factors"),
    [
        pytest.param([], {"by_phone": True}, ["SMS_MFA"], id="required"),
        pytest.param([], {"by_phone": False}, None, id="optional"),
        pytest.param([TOTP], {"by_phone": True}, None, id="required, and another chosen"),
        pytest.param(["SMS_MFA"], {"offered": (TOTP,)}, None, id="not offered"),
    ],
)
def test_a_phone_number_is_sms_where_the_old_pool_required_mfa(listed, terms, factors):
    """Whom the old pool asks by SMS without a preference has SMS in the new one, if that offers it."""
    world = new_world()
    sms(world, PREFERENCES, {**MAIL, **PHONE}, *listed, mode="ON", **terms)
    world.cognito.forgot_password(ClientId=world.app, Username="bob")
    assert world.new_user("bob").get("UserMFASettingList") == factors

"""Pools that differ in one setting, which no test of an app would show: `check` names it, and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from checking import FUNCTION, NEW, NEW_APP, TRIGGERS, Setup, set_up
from following import AwsCall
from live import GOOGLE

from batch.check.finding import Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
SAME_APP = {**NEW_APP, "ReadAttributes": ["email", "name"], "WriteAttributes": ["email", "name"]}
OAUTH = {
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["code"],
    "AllowedOAuthScopes": ["openid"],
    "CallbackURLs": ["https://example.com/in"],
    "SupportedIdentityProviders": ["COGNITO"],
}
THEIRS = "arn:aws:lambda:us-east-1:123456789012:function:theirs"
POLICY = NEW["Policies"]["PasswordPolicy"]
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
EUMS = {"CallerArn": "arn:aws:iam::123456789012:role/sms", "ExternalId": "x", "OriginationIdentity": "Example"}
SMS = NEW["SmsConfiguration"]
MAIL = NEW["EmailConfiguration"]


@pytest.fixture
def same(tmp_path):
    """Two pools that are alike, with an app client of the same name in each; everybody is published."""
    made = set_up(tmp_path, new_app=SAME_APP)
    made.announce()
    made.cognito.create_user_pool_client(UserPoolId=made.config.source.user_pool_id, **SAME_APP)
    return made


def id_of(setup: Setup, side: str) -> str:
    """The pool of a side, "source" or "target"."""
    pool_id: str = getattr(setup.config, side).user_pool_id
    return pool_id


def client_of(setup: Setup, side: str, name: str = "app") -> str:
    """The id of an app client by its name."""
    listed = setup.cognito.list_user_pool_clients(UserPoolId=id_of(setup, side))["UserPoolClients"]
    return next(one["ClientId"] for one in listed if one["ClientName"] == name)


Do = Callable[[Setup], object]


def both(*done: Do) -> Do:
    """Do one after the other."""
    return lambda setup: [do(setup) for do in done]


def app(side: str, **changes: Any) -> Do:
    """Change the app client of a side."""
    return lambda setup: setup.cognito.update_user_pool_client(
        UserPoolId=id_of(setup, side), ClientId=client_of(setup, side), **{**SAME_APP, **changes}
    )


def apps(**changes: Any) -> Do:
    """Change the app clients of both sides."""
    return both(app("source", **changes), app("target", **changes))


def old(**changes: Any) -> Do:
    """Change the old pool."""
    return lambda setup: setup.old(**changes)


def new(**changes: Any) -> Do:
    """Change the new pool."""
    return lambda setup: setup.new(**changes)


def call(side: str, operation: str, **parameters: Any) -> Do:
    """Make a call on the pool of a side."""
    return lambda setup: getattr(setup.cognito, operation)(UserPoolId=id_of(setup, side), **parameters)


def told(**settings: Any) -> Do:
    """Let DescribeUserPool tell of the new pool what no call sets."""
    return lambda setup: setup.world.newer.__setitem__(id_of(setup, "target"), settings)


def no_action(side_client: str) -> Do:
    """Let threat protection of the old pool do nothing at the sign-ins of an app client."""
    nothing = {"Notify": False, "EventAction": "NO_ACTION"}
    actions = {"LowAction": nothing, "MediumAction": nothing, "HighAction": nothing}
    return lambda setup: setup.cognito.set_risk_configuration(
        UserPoolId=id_of(setup, "source"),
        ClientId=client_of(setup, "source", side_client),
        AccountTakeoverRiskConfiguration={"Actions": actions},
        CompromisedCredentialsRiskConfiguration={"Actions": {"EventAction": "NO_ACTION"}},
    )


DOMAINS = both(
    call("source", "create_user_pool_domain", Domain="old-example"),
    call("target", "create_user_pool_domain", Domain="new-example"),
)
SERVER = {"Identifier": "https://api.example.com", "Name": "api"}
READ, WRITE = ({"ScopeName": name, "ScopeDescription": name} for name in ("read", "write"))
GOOGLES = both(
    call("source", "create_identity_provider", **GOOGLE), call("target", "create_identity_provider", **GOOGLE)
)
FIRST = {"PasswordPolicy": POLICY, "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}}

TRACKED = {"UserSessionTracking": "ENABLED", "TokenSession": {"MaxPerUser": 3}}


class Pair(NamedTuple):
    """What is to be said of which difference, and what both pools have before."""

    code: str
    severity: Severity
    remedy: str
    differ: Do
    before: Do = lambda _: None
    name: str = ""


def add_on(mode: str, **flows: str) -> dict[str, Any]:
    """Threat protection in a mode."""
    extra = {"AdvancedSecurityAdditionalFlows": flows} if flows else {}
    return {"UserPoolAddOns": {"AdvancedSecurityMode": mode, **extra}}


PAIRS = [
    Pair(
        "threat-protection-refuses",
        E,
        "set-risk-configuration",
        old(**add_on("ENFORCED")),
        new(**add_on("ENFORCED")),
    ),
    Pair(
        "threat-protection-of-custom-auth",
        W,
        "CustomAuthMode: AUDIT",
        new(**add_on("AUDIT", CustomAuthMode="ENFORCED")),
    ),
    Pair("threat-protection-lost", N, "AdvancedSecurityMode: AUDIT", old(**add_on("AUDIT"))),
    Pair("functions-lost", W, "CustomMessage: <ARN", old(LambdaConfig={"CustomMessage": THEIRS})),
    Pair("domain-missing", W, "AWS::Cognito::UserPoolDomain", call("source", "create_user_pool_domain", Domain="old")),
    Pair(
        "domain-missing",
        E,
        "AWS::Cognito::UserPoolDomain",
        call("source", "create_user_pool_domain", Domain="old"),
        GOOGLES,
        "domain-of-providers",
    ),
    Pair(
        "oauth-settings-lost",
        W,
        'CallbackURLs: ["https://example.com/in", "https://example.com/too"]',
        app("source", **{**OAUTH, "CallbackURLs": ["https://example.com/in", "https://example.com/too"]}),
        apps(**OAUTH),
        "callbacks",
    ),
    Pair("oauth-settings-lost", W, "AllowedOAuthFlowsUserPoolClient: true", app("source", **OAUTH), name="oauth"),
    Pair(
        "oauth-settings-lost",
        W,
        "Google",
        app("source", **{**OAUTH, "SupportedIdentityProviders": ["COGNITO", "Google"]}),
        both(GOOGLES, apps(**OAUTH)),
        "providers",
    ),
    Pair(
        "resource-server-missing",
        W,
        'ScopeName: "write"',
        call("source", "create_resource_server", **SERVER, Scopes=[READ, WRITE]),
        call("target", "create_resource_server", **SERVER, Scopes=[READ]),
    ),
    Pair(
        "resource-server-missing",
        W,
        "AWS::Cognito::UserPoolResourceServer",
        call("source", "create_resource_server", **SERVER, Scopes=[READ]),
        name="resource-server",
    ),
    Pair(
        "scopes-not-allowed",
        W,
        'AllowedOAuthScopes: ["openid", "email"]',
        app("source", **{**OAUTH, "AllowedOAuthScopes": ["openid", "email"]}),
        apps(**OAUTH),
    ),
    Pair(
        "tokens-expire-sooner",
        W,
        "RefreshTokenValidity: 30\nTokenValidityUnits: {AccessToken: hours, IdToken: hours, RefreshToken: days}",
        app("target", RefreshTokenValidity=12, TokenValidityUnits={"RefreshToken": "hours"}),
    ),
    Pair(
        "tokens-expire-sooner",
        W,
        "AccessTokenValidity: 1",
        app("target", AccessTokenValidity=5, TokenValidityUnits={"AccessToken": "minutes"}),
        name="access-tokens",
    ),
    Pair("tokens-expire-later", N, "RefreshTokenValidity: 30", app("target", RefreshTokenValidity=90)),
    Pair(
        "token-revocation-off",
        W,
        "EnableTokenRevocation: true",
        app("target", EnableTokenRevocation=False),
        apps(EnableTokenRevocation=True),
    ),
    Pair(
        "refresh-tokens-rotate",
        W,
        "Feature: DISABLED",
        app("target", RefreshTokenRotation={"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}),
    ),
    Pair("refresh-tokens-stay", N, "Feature: ENABLED", app("source", RefreshTokenRotation={"Feature": "ENABLED"})),
    Pair("challenges-expire-sooner", N, "AuthSessionValidity: 15", app("source", AuthSessionValidity=15)),
    Pair("attributes-not-readable", W, "ReadAttributes: [email, name]", app("target", ReadAttributes=["email"])),
    Pair("attributes-not-writable", W, "WriteAttributes: [email, name]", app("target", WriteAttributes=["email"])),
    Pair(
        "attributes-newly-writable",
        W,
        "WriteAttributes: [email, name]",
        app("target", WriteAttributes=["email", "name", "custom:tenant"]),
    ),
    Pair(
        "attributes-newly-writable",
        W,
        "WriteAttributes: [email, name]",
        app("target", WriteAttributes=[]),
        name="unset",
    ),
    Pair("sms-fails", E, "sandbox", told(SmsConfigurationFailure="SNSSandbox"), name="sms-sandbox"),
    Pair("sms-fails", E, "sns:Publish", told(SmsConfigurationFailure="InvalidSmsRoleAccessPolicyException")),
    Pair("mail-fails", E, "SES", told(EmailConfigurationFailure="InvalidEmailRoleAccessPolicyException")),
    Pair("sms-sender-differs", N, "EumsSms", old(SmsConfiguration={**SMS, "EumsSms": EUMS}), old(SmsConfiguration=SMS)),
    Pair(
        "mail-sender-differs",
        N,
        "phishing",
        old(EmailConfiguration={**MAIL, "From": "a@example.com"}),
        old(EmailConfiguration=MAIL),
    ),
    Pair("messages-differ", N, "language", old(SmsAuthenticationMessage="Ihr Code: {####}"), name="sms-words"),
    Pair(
        "messages-differ",
        N,
        "language",
        old(VerificationMessageTemplate={"DefaultEmailOption": "CONFIRM_WITH_LINK"}),
        name="link",
    ),
    Pair(
        "messages-differ",
        N,
        "language",
        old(AdminCreateUserConfig={"InviteMessageTemplate": {"EmailSubject": "Willkommen"}}),
        name="invitation",
    ),
    Pair(
        "password-history-differs",
        N,
        "PasswordHistorySize: 5",
        old(Policies={"PasswordPolicy": {**POLICY, "PasswordHistorySize": 5}}),
    ),
    Pair(
        "first-factors-lost",
        W,
        "AllowedFirstAuthFactors: [EMAIL_OTP, PASSWORD]",
        old(Policies=FIRST),
        apps(ExplicitAuthFlows=[*NEW_APP["ExplicitAuthFlows"], "ALLOW_USER_AUTH"]),
    ),
    Pair(
        "sign-in-by-no-password",
        W,
        "PASSWORD",
        new(Policies={**FIRST, "SignInPolicy": {"AllowedFirstAuthFactors": ["EMAIL_OTP"]}}),
    ),
    Pair(
        "devices-differ",
        N,
        "ChallengeRequiredOnNewDevice",
        old(DeviceConfiguration={"ChallengeRequiredOnNewDevice": True}),
    ),
    Pair(
        "passkeys-differ",
        N,
        "set-user-pool-mfa-config",
        call(
            "source",
            "set_user_pool_mfa_config",
            MfaConfiguration="OFF",
            WebAuthnConfiguration={"RelyingPartyId": "a.com"},
        ),
    ),
    Pair(
        "session-limits-differ",
        N,
        "set-user-pool-session-configuration",
        call(
            "source",
            "set_user_pool_session_configuration",
            **TRACKED,
        ),
    ),
    Pair(
        "sessions-reused-otherwise",
        N,
        "set-user-pool-client-session-configuration",
        lambda setup: setup.cognito.set_user_pool_client_session_configuration(
            UserPoolId=id_of(setup, "source"),
            ClientId=client_of(setup, "source"),
            SSOSession={"MaxValidityMinutes": 5},
        ),
        both(*(call(side, "set_user_pool_session_configuration", **TRACKED) for side in ("source", "target"))),
    ),
    Pair("issuer-differs", N, "Type: ORIGINAL", new(IssuerConfiguration={"Type": "UPDATED"})),
    Pair("deletion-protection-off", N, "DeletionProtection: ACTIVE", new(DeletionProtection="INACTIVE")),
    Pair("plan-lower", N, "UserPoolTier: PLUS", old(UserPoolTier="PLUS")),
    Pair(
        "key-differs",
        N,
        "CUSTOMER_MANAGED_KEY",
        old(KeyConfiguration={"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": KEY}),
    ),
    Pair(
        "replicas-missing",
        N,
        "create-user-pool-replica",
        call("source", "create_user_pool_replica", RegionName="us-west-2"),
    ),
    Pair("registrations-differ", N, "DcrConfiguration", old(DcrConfiguration={"EnableStatus": "Enabled"})),
    Pair(
        "clients-not-compared",
        N,
        "same names",
        call("source", "create_user_pool_client", ClientName="another", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"]),
    ),
    Pair("analytics-lost", N, "Pinpoint", app("source", AnalyticsConfiguration={"ApplicationId": "1" * 32})),
]


def codes(setup: Setup) -> dict[str, Severity]:
    """The findings that are not well, by code."""
    return {one.code: one.severity for one in setup.findings() if one.severity is not Severity.OK}


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name or pair.code for pair in PAIRS])
def test_a_difference_is_named_and_no_other(same, pair):
    """One setting that differs is one finding, of the right weight, with the line that makes it as in the old pool."""
    pair.before(same)
    before = codes(same)
    assert pair.code not in before
    pair.differ(same)
    after = codes(same)
    assert {code: severity for code, severity in after.items() if code not in before} == {pair.code: pair.severity}
    (found,) = [one for one in same.findings() if one.code == pair.code]
    assert pair.remedy in f"{found.what}\n{found.remedy}\n{found.command}"


@pytest.mark.parametrize("pair", PAIRS, ids=[pair.name or pair.code for pair in PAIRS])
def test_the_line_of_the_aws_cli_ends_the_difference(same, pair):
    """A remedy for AWS's own command line, carried out as it stands, acts on the pool it is about."""
    pair.before(same)
    pair.differ(same)
    (found,) = [one for one in same.findings() if one.code == pair.code]
    if not found.command.startswith("aws "):
        return
    words = shlex.split(found.command)
    assert words[words.index("--region") + 1] == "us-east-1"
    carried_out = AwsCall.of(words)
    getattr(same.cognito, carried_out.operation)(**carried_out.parameters)
    assert pair.code not in codes(same)


def test_pools_that_are_alike_have_no_difference(same):
    """There are twenty pairs at least, and before anything is changed none of their findings is there."""
    assert len({pair.code for pair in PAIRS}) >= 20
    assert not codes(same).keys() & {pair.code for pair in PAIRS}


@pytest.mark.parametrize("named", [True, False])
def test_threat_protection_that_lets_the_function_pass_is_no_fault(same, named):
    """Where it takes no action for the function's app client, whatever it does for others, proofs are safe."""
    both(old(**add_on("ENFORCED")), new(**add_on("ENFORCED")))(same)
    if named:
        same.options["client_id"] = client_of(same, "source", "migration")
    assert same.bad().keys() == {"threat-protection-refuses"}
    no_action("app")(same)
    assert same.bad().keys() == {"threat-protection-refuses"}
    no_action("migration")(same)
    assert same.bad() == {}
    same.configure(ledger=None)
    assert "threat-protection-refuses" not in codes(same)


def test_what_may_not_be_read_is_not_known(same):
    """Optional calls that are denied cost no more than a line that names what was not compared."""
    both(old(**add_on("ENFORCED")), new(**add_on("ENFORCED")))(same)
    call("source", "create_user_pool_replica", RegionName="us-west-2")(same)
    call("source", "create_resource_server", **SERVER, Scopes=[READ])(same)
    same.refused |= {
        *("ListResourceServers", "GetUserPoolSessionConfiguration", "ListUserPoolReplicas"),
        "DescribeRiskConfiguration",
    }
    found = {one.code: one for one in same.findings()}
    assert codes(same) == codes(same) | {"settings-not-known": N, "threat-protection-refuses": W}
    assert same.bad().keys() == {"threat-protection-refuses"}
    assert "replicas of the new pool" in found["settings-not-known"].what
    assert "cognito-idp:ListUserPoolReplicas" in found["settings-not-known"].remedy
    assert "cognito-idp:DescribeRiskConfiguration" in found["threat-protection-refuses"].remedy


def test_a_function_of_ones_own_in_the_place_of_ours_is_not_missed(same):
    """A trigger that has the customer's function in both pools is not lost; one with this migration's is named so."""
    old(LambdaConfig={"PreTokenGeneration": THEIRS, "UserMigration": THEIRS, "CustomMessage": THEIRS})(same)
    new(LambdaConfig={**dict.fromkeys(TRIGGERS, FUNCTION), "CustomMessage": THEIRS})(same)
    said = same.bad()["functions-lost"]
    assert "PreTokenGeneration (this migration's is there)" in said.what
    assert "UserMigration" not in said.what
    assert "CustomMessage" not in said.what
    assert said.command == ""


def test_the_only_app_client_of_each_pool_is_compared_whatever_its_name(same):
    """Names that a template made up keep nothing from being compared, if there is one app client on either side."""
    app("source", RefreshTokenValidity=90, ClientName="stack-app-1A2B")(same)
    assert same.bad().keys() == {"tokens-expire-sooner"}
    call("target", "create_user_pool_client", ClientName="another")(same)
    assert "tokens-expire-sooner" not in codes(same)
    assert codes(same)["clients-not-compared"] is N


def test_a_mode_of_a_newer_cognito_is_passed_over(same):
    """A value that nobody knows yet is no reason to fail, and is not called lower."""
    told(**add_on("NEWER"))(same)
    old(**add_on("AUDIT"))(same)
    assert "threat-protection-lost" not in codes(same)


def test_no_list_that_is_printed_means_every_attribute(same):
    """An empty WriteAttributes would let users write all standard attributes, so what the old app writes is printed."""
    app("source", WriteAttributes=["email"])(same)
    app("target", WriteAttributes=["name"])(same)
    assert "WriteAttributes: [email]" in same.bad()["attributes-newly-writable"].command


def test_what_only_the_new_pool_has_is_nobodys_loss(same):
    """The marker has a finding of its own, and an attribute that the old pool lacks was not kept from anybody."""
    added = {"Name": "added", "AttributeDataType": "String", "Mutable": True}
    call("target", "add_custom_attributes", CustomAttributes=[added])(same)
    app("target", WriteAttributes=["email", "name", "custom:added", "custom:legacy_sub"])(same)
    assert same.bad().keys() == {"marker-writable"}


def test_attributes_are_compared_by_their_names_in_the_new_pool(same):
    """A renamed attribute is looked for by its new name, and one that is dropped is not missed."""
    app("source", ReadAttributes=["email", "name", "nickname", "profile"])(same)
    assert same.bad().keys() == {"attributes-not-readable"}
    rules = same.config.attributes
    same.configure(attributes=type(rules)(rename={"nickname": "name"}, drop=("profile",)))
    assert "attributes-not-readable" not in same.bad()

"""Will it work? Set-ups with one thing wrong: `check` names it, and nothing else, with the remedy."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from checking import FUNCTION, MARKER, TRIGGERS, Setup, set_up, tenant
from following import AwsCall
from ledgers import shared_client

from batch.check.check import JUDGES, as_values, conclusion, findings, has_errors
from batch.check.facts import Read
from batch.check.finding import Severity
from batch.check.own_functions import own
from batch.check.reading import machine
from batch.inventory.inventory import Inventory, fingerprint
from batch.ledger.own_ledger import set_finished
from batch.settings.config import RateSettings
from userpool.errors import NotAllowedError
from userpool.ledger_table import LedgerTable, Write
from userpool.settings import LedgerSettings, PoolSettings, UserRules

E, W = Severity.ERROR, Severity.WARNING


@pytest.fixture
def good(tmp_path) -> Callable[..., Setup]:
    """Makes set-ups in which everything is right, but for what is given; everybody is published."""

    def make(*, published: bool = True, **options: Any) -> Setup:
        made = set_up(tmp_path, **options)
        if published:
            made.announce()
        return made

    return make


def test_a_good_set_up_has_nothing_wrong(good):
    """Where everything is right there is neither an error nor a warning, and each topic says that it is well."""
    found = good().findings()
    assert [one for one in found if one.severity in {E, W}] == []
    assert not has_errors(found)
    well = {one.topic for one in found if one.severity is Severity.OK}
    assert well == {*JUDGES, "old pool", "new pool"}
    assert "Nothing speaks against" in conclusion(found)


def test_a_check_changes_nothing(good):
    """Users, groups, settings and the ledger are after a check as they were before it."""
    made = good()

    def everything() -> Any:
        pools = [made.config.source.user_pool_id, made.config.target.user_pool_id]
        users = [made.cognito.list_users(UserPoolId=pool)["Users"] for pool in pools]
        described = [made.cognito.describe_user_pool(UserPoolId=pool)["UserPool"] for pool in pools]
        return users, described, sorted(map(str, (item for page in made.table.items("") for item in page)))

    before = everything()
    made.findings()
    assert everything() == before


class Fault(NamedTuple):
    """Something wrong, as made (options of the set-up, then what is done to it), and what is to be said of it."""

    code: str
    severity: Severity
    remedy: str
    options: dict[str, Any] = {}  # noqa: RUF012 -- never changed
    spoil: Callable[[Setup], object] = lambda _: None
    besides: tuple[str, ...] = ()


def _provider(setup: Setup) -> None:
    setup.cognito.create_identity_provider(
        UserPoolId=setup.config.source.user_pool_id,
        ProviderName="Google",
        ProviderType="Google",
        ProviderDetails={"client_id": "a", "client_secret": "b", "authorize_scopes": "openid"},
    )


def _managed_login(setup: Setup) -> None:
    setup.cognito.create_user_pool_domain(UserPoolId=setup.config.target.user_pool_id, Domain="example")


def _mfa(side: str, mode: str, **factors: Any) -> Callable[[Setup], object]:
    def change(setup: Setup) -> None:
        pool = getattr(setup.config, side).user_pool_id
        setup.cognito.set_user_pool_mfa_config(UserPoolId=pool, MfaConfiguration=mode, **factors)

    return change


def _in_both(*changes: Callable[[Setup], object]) -> Callable[[Setup], object]:
    return lambda setup: [change(setup) for change in changes]


def _restored(setup: Setup) -> None:
    setup.table.write(Write("terms", change="SET #table = :table", values={"table": "another table"}))


def _of_another(setup: Setup) -> None:
    setup.table.write(Write("terms", change="SET #source = :source", values={"source": "eu-west-1_Somebody"}))


_TOTP = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
_EMAIL = {"EmailMfaConfiguration": {"Message": "{####}", "Subject": "code"}}
_WEAKER = {"MinimumLength": 8, "RequireLowercase": True}
_OAUTH = {"AllowedOAuthFlowsUserPoolClient": True, "AllowedOAuthFlows": ["code"], "AllowedOAuthScopes": ["openid"]}
_SENSITIVE = {"UsernameConfiguration": {"CaseSensitive": True}}

FAULTS = [
    Fault("new-pool-is-case-sensitive", W, "CaseSensitive: false", {"new": _SENSITIVE}),
    Fault(
        "case-sensitivity-lost",
        E,
        "CaseSensitive: false",
        {"old": {"UsernameConfiguration": {"CaseSensitive": False}}, "new": _SENSITIVE},
    ),
    Fault("sign-in-attribute-lost", E, "AliasAttributes: [email]", {"new": {"AliasAttributes": []}}),
    Fault(
        "username-from-does-not-fit",
        E,
        "users.username_from: auto",
        {"new": {"AliasAttributes": [], "UsernameAttributes": ["email"]}},
        lambda setup: setup.configure(users=UserRules(username_from="sub"), ledger=None),
    ),
    Fault("not-auto-verified", W, "AutoVerifiedAttributes: [email]", {}, lambda s: s.new(AutoVerifiedAttributes=[])),
    Fault(
        "attribute-missing",
        E,
        '"Name":"tenant","AttributeDataType":"String","Mutable":true,"StringAttributeConstraints":{"MinLength":"0"',
        {"new": {"Schema": [MARKER]}},
    ),
    Fault(
        "attribute-type",
        E,
        "attributes.rename",
        {"new": {"Schema": [MARKER, {"Name": "tenant", "AttributeDataType": "Number", "Mutable": True}]}},
    ),
    Fault("attribute-immutable", W, "attributes.rename", {"new": {"Schema": [MARKER, tenant(Mutable=False)]}}),
    Fault("attribute-mutable", W, "WriteAttributes", {"old": {"Schema": [tenant(Mutable=False)]}}),
    Fault(
        "attribute-bounds",
        W,
        "cognito-migrate plan",
        {
            "new": {
                "Schema": [MARKER, tenant(StringAttributeConstraints={"MinLength": "0", "MaxLength": "5"})],
            }
        },
    ),
    Fault(
        "newly-required",
        W,
        "attributes.set",
        {"new": {"Schema": [MARKER, tenant(), {"Name": "family_name", "Required": True, "Mutable": True}]}},
    ),
    Fault(
        "marker-missing",
        E,
        '"Name":"legacy_sub","AttributeDataType":"String","Mutable":false',
        {"new": {"Schema": [tenant()]}, "published": False},
        lambda setup: setup.new(LambdaConfig=None, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True}),
    ),
    Fault(
        "marker-unfit",
        E,
        "users.keep_sub_as",
        {
            "new": {
                "Schema": [tenant(), {**MARKER, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "20"}}]
            }
        },
    ),
    Fault("marker-writable", E, "WriteAttributes", {"new_app": {"WriteAttributes": ["email", "custom:legacy_sub"]}}),
    Fault("policy-stricter", W, "RequireNumbers: false", {"old": {"Policies": {"PasswordPolicy": _WEAKER}}}),
    Fault("mfa-lost", E, "--mfa-configuration ON", {}, _mfa("source", "ON", **_TOTP)),
    Fault("mfa-newly-required", W, "OPTIONAL", {}, _mfa("target", "ON", **_TOTP)),
    Fault(
        "mfa-factor-lost",
        W,
        "announce",
        {},
        _in_both(_mfa("source", "OPTIONAL", **_TOTP, **_EMAIL), _mfa("target", "OPTIONAL", **_TOTP)),
        ("mfa-not-carried",),
    ),
    Fault(
        "mfa-by-sms-alone",
        E,
        "--software-token-mfa-configuration Enabled=true",
        {},
        _mfa(
            "target",
            "ON",
            SmsMfaConfiguration={"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::123456789012:role/sms"}},
        ),
    ),
    Fault(
        "mfa-by-email-no-reset",
        W,
        "phone numbers",
        {},
        _in_both(_mfa("source", "ON", **_EMAIL), _mfa("target", "ON", **_EMAIL)),
        ("mfa-not-carried",),
    ),
    Fault(
        "recovery-by-admins-only",
        E,
        "verified_email",
        {},
        lambda s: s.new(AccountRecoverySetting={"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}),
    ),
    Fault(
        "recovery-not-by-email",
        W,
        "verified_email",
        {},
        lambda s: s.new(
            AccountRecoverySetting={"RecoveryMechanisms": [{"Name": "verified_phone_number", "Priority": 1}]}
        ),
    ),
    Fault("no-sms-sender", W, "SmsConfiguration", {}, lambda s: s.new(SmsConfiguration=None)),
    Fault(
        "old-flow-not-allowed",
        E,
        "create-user-pool-client",
        {"old_app": {"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}},
    ),
    Fault(
        "user-password-auth-not-allowed",
        E,
        "- ALLOW_USER_PASSWORD_AUTH",
        {"new_app": {"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"]}},
    ),
    Fault(
        "custom-auth-not-allowed",
        E,
        "- ALLOW_CUSTOM_AUTH",
        {"new_app": {"ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"]}},
    ),
    Fault(
        "tells-who-exists",
        W,
        "PreventUserExistenceErrors: ENABLED",
        {"new_app": {"PreventUserExistenceErrors": "LEGACY"}},
    ),
    Fault(
        "sign-in-without-password",
        W,
        "Leave ALLOW_USER_AUTH out",
        {"new_app": {"ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_AUTH"]}},
        lambda s: s.new(
            Policies={
                "PasswordPolicy": {"MinimumLength": 6},
                "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]},
            }
        ),
    ),
    Fault("managed-login", W, "run --limit 1", {"new_app": _OAUTH}, _managed_login),
    Fault(
        "triggers-half-attached",
        E,
        f"PreSignUp: {FUNCTION}",
        {},
        lambda s: s.new(
            LambdaConfig=dict.fromkeys(TRIGGERS[:-1], FUNCTION),
            AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
        ),
    ),
    Fault("invoke-permission-missing", E, "aws lambda add-permission", {}, lambda s: setattr(s, "policy", None)),
    Fault("ledger-not-published", E, "cognito-migrate run", {"published": False}),
    Fault("ledger-restored", E, "cognito-migrate run", {}, _restored),
    Fault("ledger-of-another", E, "create-table", {}, _of_another),
    Fault("provider-missing", W, "AWS::Cognito::UserPoolIdentityProvider", {}, _provider),
    Fault(
        "limits-above-quota",
        W,
        "rate.limits: auto",
        {},
        lambda s: s.configure(rate=RateSettings(limits={"UserCreation": 500.0})),
    ),
    Fault("not-allowed", E, '"cognito-idp:AdminDisableUser"', {}, lambda s: s.refused.add("AdminDisableUser")),
    Fault("not-readable", W, "Mend", {}, lambda s: s.refused.add("GetUserPoolMfaConfig")),
    Fault("state-readable-by-others", W, "chmod 600", {}, lambda s: Path(s.config.state).chmod(0o644)),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.code for fault in FAULTS])
def test_a_fault_is_named_with_its_remedy(good, fault):
    """What is wrong is the one error or warning, of the right weight, with the command or line that mends it."""
    made = good(**fault.options)
    fault.spoil(made)
    bad = made.bad()
    assert set(bad) == {fault.code, *fault.besides}, bad
    found = bad[fault.code]
    assert found.severity is fault.severity
    assert fault.remedy in f"{found.remedy}\n{found.command}"
    assert has_errors([found]) == (fault.severity is E)


_INSENSITIVE = {"UsernameConfiguration": {"CaseSensitive": False}}


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        pytest.param("case-sensitivity-lost", _INSENSITIVE, _SENSITIVE, id="case"),
        pytest.param("sign-in-attribute-lost", {}, {"AliasAttributes": []}, id="aliases"),
        pytest.param("attribute-immutable", {}, {"Schema": [MARKER, tenant(Mutable=False)]}, id="attribute"),
    ],
)
def test_a_pool_with_users_is_not_to_be_made_anew(good, code, old, new):
    """Where users are in the target, as always on the way back, no remedy has it deleted; empty, it is made anew."""
    made = good(old=old, new=new)
    assert "ake the new pool" in made.bad()[code].remedy
    made.new(LambdaConfig=None)
    made.cognito.admin_create_user(UserPoolId=made.config.target.user_pool_id, Username="ada", MessageAction="SUPPRESS")
    found = made.bad()[code]
    assert ("ake the new pool" in found.remedy, found.command) == (False, "")
    assert found.remedy


@pytest.mark.parametrize(("ledger", "severity"), [(True, Severity.ERROR), (False, Severity.NOTE)])
def test_no_marker_is_a_decision_where_nobody_is_captured(good, ledger, severity):
    """`keep_sub_as: null` is an error with a ledger, and without one, as on the way back, no more than a note."""
    made = good()
    made.configure(users=UserRules(keep_sub_as=None), **({} if ledger else {"ledger": None}))
    (found,) = [one for one in made.findings() if one.code == "marker-not-wanted"]
    assert (found.severity, bool(found.remedy)) == (severity, ledger)


def test_there_are_faults_enough():
    """At least fifteen different things are made wrong, and each topic that can have an error or a warning is there."""
    assert len({fault.code for fault in FAULTS}) == len(FAULTS) >= 15


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.code for fault in FAULTS])
def test_a_line_of_the_aws_cli_names_its_place_and_does_what_it_says(good, fault):
    """A remedy for AWS's own command line acts on the pool it is about: carried out, it ends the finding."""
    made = good(**fault.options)
    fault.spoil(made)
    line = made.bad()[fault.code].command
    if not line.startswith("aws "):
        return
    words = shlex.split(line)
    assert words[words.index("--region") + 1] == "us-east-1"
    call = AwsCall.of(words)
    if call.service == "lambda":
        assert call.parameters["SourceArn"].endswith(made.config.target.user_pool_id)
    elif call.service == "dynamodb":
        # The finding ends when the configuration names the new table as well.
        shared_client().create_table(**call.parameters)
        assert call.parameters["TableName"] == f"cognito-migration-{made.config.target.user_pool_id}"
    else:
        getattr(made.cognito, call.operation)(**call.parameters)
        assert fault.code not in made.bad()


def test_every_topic_is_in_the_guide():
    """docs/check.md names each topic that a finding may have."""
    guide = (Path(__file__).parents[3] / "docs" / "check.md").read_text(encoding="utf-8")
    named = {
        name for line in guide.splitlines() if line.startswith("| ") for name in line.split("|")[1].strip().split(", ")
    }
    assert {*JUDGES, "old pool", "new pool"} <= named


def test_several_faults_are_all_named(good):
    """One fault hides no other; the errors come first."""
    made = good(
        old_app={"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}, new_app={"PreventUserExistenceErrors": "LEGACY"}
    )
    _provider(made)
    found = made.findings()
    assert set(made.bad()) == {"old-flow-not-allowed", "tells-who-exists", "provider-missing"}
    order = [one.severity for one in found]
    assert order == sorted(order, key=list(Severity).index)
    assert "1 error, 2 warnings" in conclusion(found)


def test_users_who_are_not_published_are_counted(good):
    """While the function is attached, scanned users whom the ledger does not know are an error; published, none."""
    made = good(published=False)
    made.add_users("ada", "bob")
    made.publish()
    assert made.bad() == {}
    with Inventory.open(Path(made.config.state), fingerprint(made.config)) as inventory:
        inventory.execute("DELETE FROM published WHERE sub = (SELECT min(sub) FROM published)")
    assert made.bad()["ledger-not-published"].what.startswith("1 scanned user is")


def test_before_the_function_is_attached_that_is_no_fault(good):
    """Nothing published and nothing attached is how it begins: notes with the next step, and no error."""
    made = good(published=False)
    made.new(LambdaConfig=None, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})
    assert made.bad() == {}
    notes = {one.code: one for one in made.findings() if one.severity is Severity.NOTE}
    assert {"triggers-not-attached", "ledger-not-published"} <= set(notes)
    assert "UserMigration:" in notes["triggers-not-attached"].command


def test_an_open_sign_up_without_the_function_is_a_warning(good):
    """Where nothing stands on PreSignUp and anybody may sign up, a stranger could take a name."""
    made = good()
    made.new(LambdaConfig=None)
    assert set(made.bad()) == {"sign-up-open"}
    assert "AllowAdminCreateUserOnly: true" in made.bad()["sign-up-open"].command


@pytest.mark.parametrize(("mfa", "code"), [("ignore", "mfa-factor-lost"), ("preferences", "mfa-preference-unasked")])
def test_a_preference_for_a_factor_that_the_new_pool_does_not_offer_is_an_error(good, mfa, code):
    """Where preferences are to cross, one that no sign-in would ask for is an error and not a mere loss."""
    made = good()
    made.configure(users=UserRules(mfa=mfa))
    _in_both(_mfa("source", "OPTIONAL", **_TOTP, **_EMAIL), _mfa("target", "OPTIONAL", **_TOTP))(made)
    wanted = {code: E} if mfa == "preferences" else {code: W, "mfa-not-carried": W}
    assert wanted == {name: one.severity for name, one in made.bad().items()}


@pytest.mark.parametrize(("mfa", "severity"), [("ignore", E), ("preferences", W)])
def test_mfa_that_is_no_longer_required_is_said(good, mfa, severity):
    """Where the old pool demands a second factor and the new one does not, somebody gets in by the password alone."""
    made = good()
    made.configure(users=UserRules(mfa=mfa))
    _in_both(_mfa("source", "ON", **_TOTP), _mfa("target", "OPTIONAL", **_TOTP))(made)
    assert {name: one.severity for name, one in made.bad().items()} == {"mfa-not-required": severity}


def test_mfa_users_who_are_captured_are_a_warning(good):
    """MFA_USERS=capture takes the password alone of who has a second factor, and that is said."""
    made = good()
    _in_both(_mfa("source", "OPTIONAL", **_TOTP), _mfa("target", "OPTIONAL", **_TOTP))(made)
    assert made.bad().keys() == {"mfa-not-carried"}
    made.configure(users=UserRules(mfa="preferences"))
    assert made.bad() == {}
    made.options["mfa_users"] = "capture"
    assert set(made.bad()) == {"mfa-users-captured"}


def test_a_migration_without_a_ledger(good):
    """Without a ledger nothing about capture is asked, and a note says what that means."""
    made = good(
        old_app={"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}, new_app={"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]}
    )
    made.configure(ledger=None)
    assert made.bad() == {}
    assert "no-ledger" in {one.code for one in made.findings()}


def test_a_ledger_that_is_not_there(good):
    """A table that does not exist is an error with the command that makes it."""
    made = good()
    made.configure(ledger=LedgerSettings("nowhere"))
    made.table = LedgerTable(shared_client(), "nowhere")
    bad = made.bad()
    assert bad["ledger-missing"].command.startswith("aws dynamodb create-table --table-name nowhere")


def test_a_ledger_in_another_region(good):
    """The function looks for the table in the new pool's Region."""
    made = good()
    made.configure(ledger=LedgerSettings(made.table.name, region="eu-west-1"))
    assert set(made.bad()) == {"ledger-elsewhere"}


def test_phone_first_by_default_needs_a_sender(good):
    """Where nothing is set about recovery, codes go to phone numbers first, which a pool without SMS cannot do."""
    made = good()
    made.new(SmsConfiguration=None, AccountRecoverySetting=None)
    (found,) = [one for one in made.findings() if one.code == "no-sms-sender"]
    assert (found.severity, found.topic) == (Severity.NOTE, "recovery")


def test_no_app_client_is_not_called_set_up(good):
    """A new pool without any app client is no error before the app's is made, but nobody can sign in to it yet."""
    made = good()
    made.configure(ledger=None)
    pool = made.config.target.user_pool_id
    for one in made.cognito.list_user_pool_clients(UserPoolId=pool)["UserPoolClients"]:
        made.cognito.delete_user_pool_client(UserPoolId=pool, ClientId=one["ClientId"])
    (found,) = [one for one in made.findings() if one.topic == "app clients"]
    assert (found.severity, found.code) == (Severity.NOTE, "no-app-client")


def test_pools_that_cannot_be_read(good):
    """If neither pool can be described, an error for each and one line of what was not looked at are all."""
    made = good()
    made.refused |= {"DescribeUserPool"}
    found = made.findings()
    errors = [one for one in found if one.severity is E]
    assert [(one.topic, one.code) for one in errors] == [("old pool", "not-readable"), ("new pool", "not-readable")]
    (unseen,) = [one for one in found if one not in errors]
    assert unseen.code == "not-checked"
    assert all(name in unseen.what for name in ("kinds", "schema", "quotas", "ledger", "app clients", "permissions"))
    assert set(made.calls) == {"DescribeUserPool"}


@pytest.mark.parametrize(
    "operation", ["GetUserPoolMfaConfig", "ListUserPoolClients", "ListIdentityProviders", "GetProvisionedLimit"]
)
def test_half_of_it_unreadable(good, operation):
    """Whatever single call is refused, the rest is judged, and the refused call is named."""
    made = good()
    made.refused.add(operation)
    found = made.findings()
    assert any(operation in f"{one.what} {one.remedy}" for one in found)
    assert not has_errors(found)
    unseen = " ".join(one.what for one in found if one.code == "not-checked")
    assert {one.topic for one in found} >= {name for name in JUDGES if name not in unseen}


def test_whether_cognito_may_call_the_function_may_be_unknown(good):
    """A policy that may not be read is a note, and no fault."""
    made = good()

    def refuse(_: str) -> str:
        raise NotAllowedError("GetPolicy: grant lambda:GetPolicy to see who may call it.")

    made.options["policy_of"] = refuse
    assert made.bad() == {}
    assert any("lambda:GetPolicy" in one.what for one in made.findings() if one.severity is Severity.NOTE)


def test_the_machine(good):
    """Clock, state file and versions: each thing wrong is named."""
    facts = good().facts()

    def codes(**changes: Any) -> set[str]:
        changed = replace(facts, machine=replace(facts.machine, **changes))
        return {one.code for one in findings(changed) if one.severity in {E, W}}

    assert codes(state_problem="migration.db is of another migration.") == {"state-unusable"}
    assert codes(free=1024**2) == {"little-room"}
    assert codes(on_network=True, filesystem="nfs4") == set()  # with a ledger, which locks
    assert codes(botocore=(1, 44, 7)) == {"botocore-too-old"}
    assert codes(botocore=(1, 44, 8)) == set()
    without = replace(facts, config=replace(facts.config, ledger=None))
    found = findings(replace(without, machine=replace(facts.machine, on_network=True, filesystem="nfs4")))
    assert "state-on-network" in {one.code for one in found}


@pytest.mark.parametrize(("offset", "code"), [(-20, None), (40, "clock-skewed"), (-400, "clock-wrong")])
def test_the_clock(good, offset, code):
    """A clock half a minute off is a warning, and one that AWS refuses signatures of an error."""
    facts = good().facts()
    described = facts.source.described.value
    late = replace(described, description=replace(described.description, clock_offset=float(offset)))
    found = findings(replace(facts, source=replace(facts.source, described=Read(late))))
    assert {one.code for one in found if one.severity in {E, W}} == ({code} if code else set())


def test_a_state_file_of_another_migration(good):
    """An inventory of other pools is an error, and so is a folder that is not there."""
    made = good()
    made.configure(source=PoolSettings("us-east-1_Another"))
    assert "of another migration" in machine(made.config).state_problem
    made.configure(state="/nowhere/migration.db")
    assert "There is no folder /nowhere" in machine(made.config).state_problem


def test_findings_as_values(good):
    """The values have every finding, and how many there are of each severity."""
    found = good().findings()
    values = as_values(found)
    assert sum(values["counts"].values()) == len(values["findings"]) == len(found)
    assert set(values["findings"][0]) == {"severity", "topic", "code", "what", "remedy", "command"}


def test_no_secret_is_in_a_finding(good):
    """The secret of an app client is not even read into the facts."""
    made = good(old_app={"GenerateSecret": True}, new_app={"GenerateSecret": True})
    facts = made.facts()
    secrets = [
        made.cognito.describe_user_pool_client(UserPoolId=pool.user_pool_id, ClientId=client.app.client_id)[
            "UserPoolClient"
        ]["ClientSecret"]
        for pool, side in ((made.config.source, facts.source), (made.config.target, facts.target))
        for client in side.clients.value
    ]
    assert len(secrets) == 2
    assert not any(secret in f"{facts!r}{findings(facts)!r}" for secret in secrets)


GATE = "arn:aws:lambda:us-east-1:123456789012:function:customers-own"


def with_own(good, *names, ledger=False):
    """A migration whose new pool has functions of the customer's own on these triggers."""
    ours = dict.fromkeys(TRIGGERS, FUNCTION) if ledger else {}
    made = good(new={"LambdaConfig": ours | dict.fromkeys(names, GATE)})
    if not ledger:
        made.configure(ledger=None)
    return made


@pytest.mark.parametrize("ledger", [True, False])
@pytest.mark.parametrize(
    ("name", "code", "source"),
    [
        ("PreSignUp", "own-pre-sign-up", "PreSignUp_AdminCreateUser"),
        ("PostConfirmation", "own-post-confirmation", "PostConfirmation_ConfirmForgotPassword"),
    ],
)
def test_an_own_function_that_every_user_meets_is_a_warning(good, ledger, name, code, source):
    """It is said when the function is called, and how to let users pass; nothing beside it says that all is well."""
    made = with_own(good, name, ledger=ledger)
    found = made.bad()[code]
    assert found.severity is W
    assert source in found.what
    assert source in found.remedy
    topics = {one.topic for one in made.findings() if one.severity is Severity.OK}
    assert "own functions" not in topics
    assert name != "PreSignUp" or "sign-up" not in topics


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("PreAuthentication", "own-functions-at-sign-in"),
        ("PostAuthentication", "own-functions-at-sign-in"),
        ("CustomMessage", "own-functions-send"),
    ],
)
@pytest.mark.parametrize("ledger", [True, False])
def test_an_own_function_that_may_stop_a_capture_or_a_code_is_named(good, name, code, ledger):
    """Functions that are called at a sign-in, or for each code, are a note with the name of their trigger."""
    found = {one.code: one for one in with_own(good, name, ledger=ledger).findings()}
    assert name in found[code].what
    assert found[code].severity is Severity.NOTE


def test_the_functions_of_this_migration_are_not_the_customers(good):
    """Capture and gate are known by where they are attached, as one function or as two."""
    assert own(dict.fromkeys(TRIGGERS, FUNCTION)) == frozenset()
    gates = dict.fromkeys(("PreTokenGeneration", "PostConfirmation", "PreSignUp"), GATE)
    assert own(dict.fromkeys(TRIGGERS, FUNCTION) | gates) == frozenset()
    assert own(dict.fromkeys(TRIGGERS, FUNCTION) | {"PreSignUp": GATE}) == {"PreSignUp"}
    assert own(gates) == gates.keys()
    assert "own-pre-sign-up" not in good().bad()


@pytest.mark.parametrize(("attached", "code"), [(False, set()), (True, {"triggers-after-the-end"})])
def test_after_the_end_nothing_of_the_capture_is_asked_for(good, attached, code):
    """Once finished, a detached function, apps on SRP and an open sign-up are well; an attached one may go."""
    made = good(new_app={"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]})
    set_finished(made.table, finished=True)
    if not attached:
        made.new(LambdaConfig=None)
    assert made.bad() == {}
    found = made.findings()
    assert {one.code for one in found if one.severity is Severity.NOTE and one.code.startswith("triggers")} == code
    set_finished(made.table, finished=False)
    assert "user-password-auth-not-allowed" in made.bad()

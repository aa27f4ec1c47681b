"""Which triggers call our functions: the decisions, what is said of them, and both commands on a local pool."""

from __future__ import annotations

import os
import shlex
import threading
import uuid

import pytest
import yaml
from botocore.exceptions import ClientError
from function_policy import ALLOWS, policy
from hypothesis import given
from hypothesis import strategies as st
from live import create_user
from terminal import LONG, at_a_terminal

from batch.cli.trigger_attach import write_triggers
from batch.lambda_trigger.attach import SOURCES, attaching, detaching, left_half, not_of_the_pool, plainly, same
from batch.lambda_trigger.attach_text import cloudformation, is_over, let_in, nobody_waits, published, taken, terraform
from batch.lambda_trigger.capture_way import INSTEAD, NEEDED, missing_triggers
from batch.lambda_trigger.findings import StepVerdict
from batch.ledger.count import LedgerCount
from batch.ledger.own_ledger import LedgerFacts
from batch.pools.connect import pool_to_manage
from batch.pools.managed_pool import ManagedPool, UnknownSettingError, differing
from batch.settings import config as configuration
from sandbox.faults import Fault
from userpool.description import triggers_of
from userpool.errors import FatalError, UserError
from userpool.person import Person, PersonState

POOL = "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_AbCdEf123"


def arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


CAPTURE, GATE, THEIRS, OTHER = map(arn, ("capture", "gate", "theirs", "other"))
OURS = {"capture": CAPTURE, "gate": GATE}
NAMED = ("--capture", CAPTURE, "--gate", GATE)
OF = {trigger: OURS[name] for name, triggers in SOURCES.items() for trigger in triggers}
NEVER_OURS = ("CustomMessage", "PreAuthentication")
SENDER = {"CustomEmailSender": {"LambdaVersion": "V1_0", "LambdaArn": THEIRS}, "KMSKeyID": arn("key")}
MARKER = {"Name": "legacy_sub", "AttributeDataType": "String", "Mutable": False}


def told(config, ways):
    """A LambdaConfig as Cognito tells it: its PreTokenGeneration in one way, the other, or both."""
    function = config.pop("PreTokenGeneration", None)
    if function and "plain" in ways:
        config["PreTokenGeneration"] = function
    if function and ways != {"plain"}:
        version = "V2_0" if ways == {"versioned"} else "V1_0"
        config["PreTokenGenerationConfig"] = {"LambdaVersion": version, "LambdaArn": function}
    return config


def configs(*arns: str):
    """LambdaConfigs that call these functions."""
    plain = st.dictionaries(st.sampled_from([*OF, *NEVER_OURS]), st.sampled_from(arns))
    ways = st.sampled_from([{"plain"}, {"versioned"}, {"plain", "versioned"}])
    senders = st.sampled_from([{}, SENDER])
    return st.builds(lambda config, way, sender: {**told(config, way), **sender}, plain, ways, senders)


any_configs = configs(CAPTURE, GATE, THEIRS, OTHER)
names = st.sets(st.sampled_from([*OF]), max_size=3)


@given(any_configs, names, names)
def test_all_of_it_or_nothing(config, keep, replace):
    """Every needed trigger has its function, or one that calls it, or one that does instead; or nothing changes."""
    change = attaching(config, OURS, keep=keep - replace, replace=replace)
    if change.taken:
        assert change.after == config
        assert not change.changed
        return
    there = triggers_of(change.after)
    assert missing_triggers(there) == []
    for trigger in NEEDED:
        instead = INSTEAD.get(trigger)
        right = {OF[name] for name in (trigger, instead) if name and name in there and there[name] == OF[name]}
        assert right or {trigger, instead} & keep


@given(any_configs, names)
def test_what_is_not_ours_is_never_touched(config, replace):
    """No entry of another function changes or goes, but for those that are to be replaced."""
    before, after = triggers_of(config), triggers_of(attaching(config, OURS, replace=replace).after)
    for trigger, function in before.items():
        if trigger not in replace and function != OF.get(trigger):
            assert after[trigger] == function
    detached = detaching(config, OURS).after
    left = {
        name: value for name, value in config.items() if before.get(name.removesuffix("Config")) not in OURS.values()
    }
    assert {**detached, **left} == detached
    assert {name: detached.get(name) for name in SENDER} == {name: config.get(name) for name in SENDER}


@given(configs(THEIRS, OTHER), names)
def test_attached_and_detached_it_is_as_before(config, keep):
    """Where nothing was replaced, `detach` is the undoing of `attach`."""
    attached = attaching(config, OURS, keep=keep).after
    assert detaching(attached, OURS).after == config


@given(any_configs, names)
def test_attached_twice_is_attached_once(config, replace):
    """A second time there is nothing to be changed."""
    once = attaching(config, OURS, replace=replace)
    again = attaching(once.after, OURS, replace=replace)
    assert not again.changed
    assert again.after == once.after


@given(any_configs)
def test_detached_is_all_of_it(config):
    """No trigger that may be ours calls one of the functions any more."""
    after = triggers_of(detaching(config, OURS).after)
    assert not {after.get(trigger) for trigger in OF} & {*OURS.values()}


@given(any_configs, names)
def test_both_ways_to_tell_of_pre_token_generation_agree(config, replace):
    """PreTokenGeneration and PreTokenGenerationConfig have the same ARN, as Cognito demands, and a version stays."""
    after = attaching(config, OURS, replace=replace).after
    versioned = after.get("PreTokenGenerationConfig")
    if versioned and "PreTokenGeneration" in after:
        assert versioned["LambdaArn"] == after["PreTokenGeneration"]
    if versioned and "PreTokenGenerationConfig" in config:
        assert versioned["LambdaVersion"] == config["PreTokenGenerationConfig"]["LambdaVersion"]


def test_an_empty_pool_gets_every_needed_trigger():
    """Each trigger goes to the function that it is for, and PreTokenGeneration by the version that every plan has."""
    after = attaching({}, OURS).after
    assert triggers_of(after) == {trigger: OF[trigger] for trigger in NEEDED}
    assert after["PreTokenGenerationConfig"] == {"LambdaVersion": "V1_0", "LambdaArn": GATE}


def test_a_token_function_of_the_apps_own_is_left_to_it():
    """PostAuthentication does instead of a PreTokenGeneration of the app's, unless that calls ours or has to go."""
    config = {"PreTokenGeneration": THEIRS}
    assert attaching(config, OURS).stand_ins == {"PreTokenGeneration": "PostAuthentication"}
    kept = attaching(config, OURS, keep=["PreTokenGeneration"])
    assert (kept.stand_ins, kept.kept) == ({}, config)
    replaced = attaching(config, OURS, replace=["PreTokenGeneration"])
    assert (replaced.replaced, replaced.after["PreTokenGeneration"]) == (config, GATE)
    both = {**config, "PostAuthentication": OTHER}
    assert attaching(both, OURS).taken == config
    assert attaching(both, OURS, keep=["PostAuthentication"]).taken == {}


def test_a_trigger_that_is_taken_is_told_with_both_ways_out():
    """The function that stands there is named, and that it may call ours or be replaced."""
    change = attaching({"PreSignUp": THEIRS}, OURS)
    (said,) = taken(change)
    assert THEIRS in said.said
    assert "--keep PreSignUp" in said.remedy
    assert "--replace PreSignUp" in said.remedy


def test_half_of_it_is_not_detached():
    """What settles captures does not go before what captures; the other way round it may."""
    whole = attaching({}, OURS).after
    assert left_half(detaching(whole, {"gate": GATE})).keys() == {*SOURCES["capture"]}
    assert left_half(detaching(whole, {"capture": CAPTURE})) == {}
    assert left_half(detaching(whole, OURS)) == {}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (CAPTURE, ""),
        (f"{CAPTURE}:live", ""),
        (f"{CAPTURE}:$LATEST", "is not the ARN"),
        ("capture", "is not the ARN"),
        (POOL, "is not the ARN"),
        (CAPTURE.replace("us-east-1", "eu-west-1"), "Region"),
        (CAPTURE.replace("arn:aws:", "arn:aws-cn:"), "Region"),
        (CAPTURE.replace("123456789012", "999999999999"), "account 123456789012"),
    ],
)
def test_which_functions_a_pool_can_have(function, said):
    """Only a function of the pool's Region and account."""
    found = not_of_the_pool(function, POOL)
    assert (said in found) if said else not found


@given(any_configs)
def test_the_template_of_cloudformation_says_it_all(config):
    """Read as YAML, the lines are the LambdaConfig, with PreTokenGeneration told once."""
    lines = "\n".join(cloudformation(config))
    assert same(yaml.safe_load(lines)["LambdaConfig"], config)
    assert lines.count("PreTokenGeneration") <= 1
    assert same(plainly(config), config)


def test_the_lines_for_terraform():
    """Names are Terraform's, and what has a version is a block."""
    config = {"UserMigration": CAPTURE, "PreTokenGeneration": GATE, **SENDER}
    assert list(terraform(config)) == [
        "lambda_config {",
        f'  user_migration = "{CAPTURE}"',
        f'  kms_key_id     = "{SENDER["KMSKeyID"]}"',
        "  custom_email_sender {",
        '    lambda_version = "V1_0"',
        f'    lambda_arn     = "{THEIRS}"',
        "  }",
        "  pre_token_generation_config {",
        f'    lambda_arn     = "{GATE}"',
        '    lambda_version = "V1_0"',
        "  }",
        "}",
    ]


PUBLISHED = {"there": True, "identity": "a", "written": "a", "unpublished": 0}


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"there": False}, "docs/trigger.md"),
        ({"whose": "set `ledger` to another table"}, "another table"),
        ({"written": None}, "cognito-migrate run"),
        ({"written": "b"}, "cognito-migrate run"),
        ({"unpublished": 3}, "cognito-migrate run"),
        ({"unpublished": None}, "migration.db"),
    ],
)
def test_what_is_not_published_is_told_with_the_remedy(changes, remedy):
    """Whatever keeps the ledger from knowing everybody is wrong; in another Region it is never found."""
    assert published(LedgerFacts(**PUBLISHED), "people", elsewhere=False).verdict is StepVerdict.OK
    assert "ledger.region" in published(LedgerFacts(**PUBLISHED), "people", elsewhere=True).remedy
    said = published(LedgerFacts(**(PUBLISHED | changes)), "people", elsewhere=False)
    assert (said.verdict, remedy in said.remedy) == (StepVerdict.WRONG, True)


@given(st.lists(st.tuples(st.sampled_from(PersonState), st.booleans()), max_size=6))
def test_who_waits_for_the_function(people):
    """Whoever has no password of their own yet waits, and whoever exists and is owed memberships."""
    counted = LedgerCount(0.0)
    for state, owed in people:
        counted.add(Person("a-sub", state, owed=frozenset({"admins"} if owed else ())))
    final = {PersonState.CAPTURED, PersonState.RESET, PersonState.RETURNED}
    waits = any(state not in {*final, PersonState.HELD} or (state in final and owed) for state, owed in people)
    assert (nobody_waits(counted).verdict is StepVerdict.WRONG) == waits


def test_who_would_be_let_in_without_the_function():
    """Disabled profiles and whose old password may stand are told before the function is detached; others are not."""
    counted = LedgerCount(0.0)
    assert [*let_in(counted)] == []
    counted.add(Person("1", PersonState.DEFERRED, disabled=True))
    counted.add(Person("2", PersonState.HELD, reason="federated", disabled=True))
    counted.add(Person("3", PersonState.HELD, reason="cohort", disabled=True), {"3"})
    counted.add(Person("4", PersonState.HELD, reason="cohort", disabled=True))
    counted.add(Person("5", PersonState.RESET, token="t", until=1.0))
    said = [str(finding) for finding in let_in(counted)]
    assert ["3 from other providers" in said[0], "1 has to reset" in said[1]] == [True, True]


# The commands.


@pytest.fixture
def scanned(client, migration, sandbox):
    """A migration whose old pool was scanned, and whose new one has a function of the app's own."""
    old = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    new = client.create_user_pool(
        PoolName="new", Schema=[MARKER], LambdaConfig={"CustomMessage": THEIRS}, AutoVerifiedAttributes=["email"]
    )["UserPool"]["Id"]
    create_user(client, old, "ada", {"email": "ada@example.com", "email_verified": "true"})
    ledger = {"table": f"ledger-{uuid.uuid4().hex[:8]}", "endpoint_url": sandbox.endpoint_url}
    made = migration(old, new, ledger=ledger)
    assert made("scan").code == 0
    return made


@pytest.fixture
def ready(scanned, sandbox):
    """The same after the bulk run: everybody is published, and waits."""
    assert scanned("run", "--yes").code == 0
    sandbox.reset_counts()
    return scanned


def settings(client, made):
    return client.describe_user_pool(UserPoolId=made.target)["UserPool"]


def attached(client, made):
    return settings(client, made)["LambdaConfig"]


def test_by_default_it_only_shows(client, ready, sandbox):
    """Without --apply there are the lines for a template and what would change, and nothing was written."""
    said = ready("trigger", "attach", *NAMED)
    assert (said.code, said.err) == (0, "")
    assert "lambda_config {" in said.out
    assert f"UserMigration: {CAPTURE}" in said.out
    assert f"CustomMessage: {THEIRS}, as now" in said.out
    assert "not checked  permission: a stand-in has no Lambda to ask." in said.out.splitlines()
    assert set(sandbox.calls) <= {"DescribeUserPool", "DynamoDB.DescribeTable", "DynamoDB.GetItem"}
    assert attached(client, ready) == {"CustomMessage": THEIRS}


def test_it_changes_the_triggers_and_nothing_else(client, ready):
    """With --apply the pool before and after differ in LambdaConfig only; the app's own trigger is kept."""
    before = settings(client, ready)
    said = ready("trigger", "attach", *NAMED, "--apply", "--yes")
    assert (said.code, said.err) == (0, "")
    after = settings(client, ready)
    assert differing(before, after) == {"LambdaConfig"}
    assert triggers_of(after["LambdaConfig"]) == {"CustomMessage": THEIRS, **{name: OF[name] for name in NEEDED}}
    assert f'LambdaConfig before: {{"CustomMessage": "{THEIRS}"}}' in said.out
    again = ready("trigger", "attach", *NAMED, "--apply")
    assert (again.code, "are so already" in again.out) == (0, True)


def test_the_undoing_is_told_and_undoes(client, ready):
    """The very command that is told gives the LambdaConfig before, once nobody waits or it is forced."""
    before = settings(client, ready)
    done = ready("trigger", "attach", *NAMED, "--apply", "--yes", "--json")
    assert (done.code, done.json["applied"]) == (0, True)
    program, *undo = shlex.split(done.json["undo"])
    assert program == "cognito-migrate"
    refused = ready(*undo, "--yes")
    assert refused.code == 5
    assert "persons wait for the function: 1 pending." in refused.out
    assert "--force" in refused.out
    assert "UserMigration" in attached(client, ready)
    forced = ready(*undo, "--yes", "--force", "--json")
    assert (forced.code, forced.json["undo"].split()[-6:]) == (0, ["trigger", "attach", *NAMED, "--apply"][-6:])
    assert differing(before, settings(client, ready)) == set()


def test_nobody_waits_any_more(client, ready):
    """When everybody has a password of their own, `detach` needs no force."""
    assert ready("trigger", "attach", *NAMED, "--apply", "--yes").code == 0
    assert ready("close", "ada").code == 0
    assert ready("trigger", "detach", *NAMED, "--apply", "--yes").code == 0
    assert attached(client, ready) == {"CustomMessage": THEIRS}


def test_after_the_end_nothing_is_waited_for(client, ready):
    """A finished migration is detached without force, whoever never came; who is owed a membership is told."""
    assert ready("trigger", "attach", *NAMED, "--apply", "--yes").code == 0
    assert ready("cutover", "--yes").code == 0
    ended = ready("finish", "--despite-left", "1", "--yes")
    assert "trigger detach --capture ARN --gate ARN --apply" in ended.out
    over = ready("trigger", "detach", *NAMED, "--apply", "--yes")
    assert (over.code, "the migration is finished" in over.out) == (0, True)
    assert attached(client, ready) == {"CustomMessage": THEIRS}


def test_a_cut_over_tells_who_is_not_captured(client, ready, sandbox):
    """`cutover` says first that no function is attached, or which flow no app client may use, and refuses nothing."""
    bare = ready("cutover")
    assert (bare.code, "No function is attached to the new pool: nobody's password is captured" in bare.err) == (
        2,
        True,
    )
    assert ready("trigger", "attach", *NAMED, "--apply", "--yes").code == 0
    without = ready("cutover")
    assert ("No function is attached" in without.err, "no app client of the new pool allows" in without.err) == (
        False,
        True,
    )
    flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client.create_user_pool_client(UserPoolId=ready.target, ClientName="app", ExplicitAuthFlows=flows)
    assert "app clients" not in ready("cutover").err
    sandbox.faults.replace([Fault("error", "ListUserPoolClients", code="AccessDeniedException")])
    denied = ready("cutover", "--yes")
    sandbox.faults.replace([])
    assert (denied.code, "not checked  app clients" in denied.err) == (0, True)


def test_after_the_end_the_owed_are_told():
    """Detaching after the end takes from whoever is still owed memberships, and says so."""
    owed = LedgerCount(0.0)
    owed.add(Person("a", PersonState.CAPTURED, owed=frozenset({"staff"})))
    assert [one.verdict for one in is_over(LedgerCount(0.0))] == [StepVerdict.OK]
    assert "1 is owed 1 membership," in [*is_over(owed)][1].said


def test_not_before_everybody_is_published(client, scanned):
    """Before the run, with somebody new since, or without the inventory, it is refused with code 5."""
    words = ("trigger", "attach", *NAMED, "--apply", "--yes")
    early = scanned(*words)
    assert (early.code, "Remedy: " in early.out) == (5, True)
    assert scanned("run", "--yes").code == 0
    create_user(client, scanned.source, "bob", {})
    assert scanned("scan").code == 0
    late = scanned(*words, "--json")
    assert (late.code, late.json["refused"], late.json["applied"]) == (5, True, False)
    assert "1 scanned user is not published" in late.out
    scanned.state.rename(scanned.folder / "elsewhere.db")
    assert "no inventory here" in scanned(*words).out
    assert attached(client, scanned) == {"CustomMessage": THEIRS}


def test_a_function_of_the_apps_own_stands_there(client, ready):
    """It is named and left alone; --keep attaches the rest, --replace takes its place."""
    client.update_user_pool(UserPoolId=ready.target, LambdaConfig={"PreSignUp": THEIRS})
    refused = ready("trigger", "attach", *NAMED, "--apply", "--yes")
    assert (refused.code, f"PreSignUp calls {THEIRS} already" in refused.out) == (5, True)
    assert attached(client, ready) == {"PreSignUp": THEIRS}
    assert ready("trigger", "attach", *NAMED, "--apply", "--yes", "--keep", "PreSignUp").code == 0
    assert triggers_of(attached(client, ready)) == {**{name: OF[name] for name in NEEDED}, "PreSignUp": THEIRS}
    replaced = ready("trigger", "attach", *NAMED, "--apply", "--yes", "--replace", "PreSignUp")
    assert (replaced.code, f"{GATE}, instead of {THEIRS}" in replaced.out) == (0, True)
    assert attached(client, ready)["PreSignUp"] == GATE


def test_one_function_may_be_both(client, ready):
    """--function names one for every trigger, and the undoing names it so."""
    said = ready("trigger", "attach", "--function", THEIRS, "--apply", "--yes", "--json")
    assert (said.code, f"detach --function {THEIRS}" in said.json["undo"]) == (0, True)
    assert {*triggers_of(attached(client, ready)).values()} == {THEIRS}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["attach", "--capture", CAPTURE], "--gate"),
        (["attach", "--function", CAPTURE, "--gate", GATE], "--function"),
        (["attach", *NAMED, "--keep", "PreSignUp", "--replace", "PreSignUp"], "PreSignUp"),
        (["attach", "--function", CAPTURE.replace("us-east-1", "us-west-2")], "Region"),
        (["attach", *NAMED, "--apply"], "--yes"),
        (["detach"], "--capture"),
    ],
)
def test_what_cannot_be_meant(client, ready, words, said):
    """A mistake in the options is one sentence and code 2, and nothing was written."""
    result = ready("trigger", *words)
    assert (result.code, result.err.startswith("Error: "), said in result.err) == (2, True, True)
    assert attached(client, ready) == {"CustomMessage": THEIRS}


@pytest.mark.parametrize("name", ["attach", "detach"])
def test_without_a_ledger(ready, name):
    """Nobody is captured without a ledger, and without one nobody can tell who waits."""
    ready.configure(ledger=None)
    result = ready("trigger", name, *NAMED)
    assert (result.code, "set `ledger`" in result.err) == (2, True)


def test_what_is_not_attached_is_not_detached(ready):
    """Functions that no trigger calls are told, with those that stand there; half of ours is not taken away."""
    result = ready("trigger", "detach", *NAMED)
    assert (result.code, f"CustomMessage: {THEIRS}" in result.out) == (5, True)
    assert ready("trigger", "attach", *NAMED, "--apply", "--yes").code == 0
    half = ready("trigger", "detach", "--gate", GATE, "--capture", f"{CAPTURE}:1")
    assert (half.code, f"--capture {CAPTURE}" in half.out) == (5, True)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 130), ("y\n", 0)])
def test_a_person_is_asked(client, ready, answer, code):
    """At a terminal everything is shown before the question, and nothing but a yes is a yes."""
    with at_a_terminal(ready, "trigger", "attach", *NAMED, "--apply") as (process, keyboard):
        os.write(keyboard, answer.encode())
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == code
    assert f"Change the triggers of {ready.target}?" in err
    assert "To undo: cognito-migrate" in out
    assert ("UserMigration" in attached(client, ready)) == (code == 0)


def test_a_function_that_does_not_let_cognito_in(client, ready, aws, sandbox, monkeypatch):
    """A policy that lets nobody in is refused with the command that mends it; one that cannot be read is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", sandbox.endpoint_url)
    ready.configure(target={"user_pool_id": ready.target})
    words = ("trigger", "attach", *NAMED, "--apply", "--yes")
    aws["body"] = {"Policy": policy()}
    refused = ready(*words)
    assert (refused.code, "aws lambda add-permission" in refused.out) == (5, True)
    aws["body"] = {"Policy": policy(ALLOWS)}
    assert "ok           permission" in ready("trigger", "attach", *NAMED).out
    assert attached(client, ready) == {"CustomMessage": THEIRS}
    aws.update(status=403, body={"__type": "AccessDeniedException"})
    unread = ready(*words)
    assert (unread.code, unread.out.count("grant lambda:GetPolicy")) == (0, 2)
    assert "UserMigration" in attached(client, ready)


UNKNOWN = {
    "Rounds": {"Rounds": {"Mode": "secret-value"}},
    "UserPoolAddOns.Guard": {"UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT", "Guard": "secret-value"}},
    "Policies.PasswordPolicy.Rounds": {"Policies": {"PasswordPolicy": {"Rounds": "secret-value"}}},
    "LambdaConfig.PreSleep": {"LambdaConfig": {"PreSleep": "secret-value"}},
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("what", ["attach", "detach"])
def test_a_setting_that_boto3_does_not_know_is_never_dropped(client, ready, sandbox, name, what):
    """Whatever the depth, the change is refused, the setting is named, and the lines for the template are shown."""
    if what == "detach":
        assert ready("trigger", "attach", *NAMED, "--apply", "--yes").code == 0
    sandbox.cognito.world.newer[ready.target] = UNKNOWN[name]
    before = attached(client, ready)
    words = ("trigger", what, *NAMED, *(["--force"] if what == "detach" else []))
    for refused in (ready(*words), ready(*words, "--apply", "--yes")):
        assert refused.code == 5
        assert f"does not know {name} of the pool" in refused.out
        assert "pip install -U boto3" in refused.out
        assert "LambdaConfig:" in refused.out
        assert "secret-value" not in refused.out + refused.err
    target = pool_to_manage(configuration.load(ready.config), stop=threading.Event())
    with pytest.raises(UnknownSettingError, match=f"know {name} of"):
        target.change(LambdaConfig={})
    assert attached(client, ready) == before
    assert sandbox.cognito.world.newer[ready.target] == UNKNOWN[name]


def test_a_pool_that_changes_between_the_look_and_the_write(client, ready):
    """What somebody attached since it was shown is not overwritten: nothing is written."""
    pool = ManagedPool(client, ready.target)
    seen = pool.settings()
    client.update_user_pool(UserPoolId=ready.target, LambdaConfig={"CustomMessage": OTHER})
    with pytest.raises(FatalError, match="Somebody else changes LambdaConfig"):
        pool.change(seen=seen, LambdaConfig={})
    assert attached(client, ready) == {"CustomMessage": OTHER}
    changed = pool.change(seen=pool.settings(), LambdaConfig={"PreSignUp": OTHER})
    assert changed["LambdaConfig"] == {"PreSignUp": OTHER}


@pytest.mark.parametrize(
    ("code", "kind"), [("ConcurrentModificationException", FatalError), ("InvalidParameterException", UserError)]
)
def test_two_changes_in_one_moment(client, ready, code, kind):
    """What Cognito says of changes at the same time is told with the remedy; what else it says, as it is."""

    class Busy:
        """A client of a pool that somebody else is changing."""

        meta = client.meta
        describe_user_pool = staticmethod(client.describe_user_pool)

        @staticmethod
        def update_user_pool(**_):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateUserPool")

    with pytest.raises(kind, match="Give the command again" if kind is FatalError else code):
        ManagedPool(Busy(), ready.target).change(LambdaConfig={})


def test_what_stands_there_in_the_end_is_looked_at(client, ready):
    """If the triggers are not what was written, somebody else was there, and that is told."""

    class Crowded:
        """A client of a pool whose triggers somebody else changes right after."""

        meta = client.meta
        describe_user_pool = staticmethod(client.describe_user_pool)

        @staticmethod
        def update_user_pool(**parameters):
            return client.update_user_pool(**{**parameters, "LambdaConfig": {"PreSignUp": OTHER}})

    seen = settings(client, ready)
    change = attaching(seen["LambdaConfig"], OURS)
    with pytest.raises(FatalError, match="look at what stands there"):
        write_triggers(ManagedPool(Crowded(), ready.target), seen, change)

"""Fields of an event that no document promises: absent, null or empty, in every trigger source."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import pytest
from triggering import MARKER, OLD_PASSWORD, new_world

import trigger.handler
from trigger.handler import ROUTES
from trigger.outcome import DeniedError
from userpool.person import PersonState

ABSENT = object()
FORMS = {"absent": ABSENT, "null": None, "empty": ""}
STATUS = "cognito:user_status"
CHALLENGES = ["DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"]
DEFINE, CREATE, VERIFY = (f"{name}_Authentication" for name in CHALLENGES)
MIGRATIONS = ["UserMigration_Authentication", "UserMigration_ForgotPassword"]
CONFIRMED = ["PostConfirmation_ConfirmForgotPassword", "PostConfirmation_ConfirmSignUp"]
TOKENS = [source for source in ROUTES if source.startswith(("TokenGeneration", "PostAuthentication"))]
SIGN_UPS = ["PreSignUp_SignUp", "PreSignUp_ExternalProvider"]

REQUESTS = {
    **{source: {"password": OLD_PASSWORD, "validationData": {}, "clientMetadata": {}} for source in MIGRATIONS},
    DEFINE: {"session": [], "userNotFound": False, "clientMetadata": {}},
    CREATE: {"session": [{"challengeName": "CUSTOM_CHALLENGE", "challengeResult": True}], "challengeName": "x"},
    VERIFY: {"privateChallengeParameters": {"asked": "password"}, "challengeAnswer": OLD_PASSWORD},
    **{source: {"groupConfiguration": {"groupsToOverride": []}, "clientMetadata": {}} for source in TOKENS},
    **{source: {"clientMetadata": {}} for source in CONFIRMED},
    **{source: {"validationData": {}, "clientMetadata": {}} for source in SIGN_UPS},
}

# What is looked up, or has a meaning when it is not told: the answer and the ledger are those of the whole event.
TOLD_OTHERWISE = ["version", "response", "callerContext", "region", "request.clientMetadata", "request.validationData"]
OF_THE_USER = ["request.userAttributes", f"request.userAttributes.{STATUS}", "request.userAttributes.sub"]
SAME = [
    *((source, field) for source in ROUTES for field in TOLD_OTHERWISE),
    *((source, field) for source in [CREATE, VERIFY, *CONFIRMED, *TOKENS] for field in OF_THE_USER),
    *((source, "request.userNotFound") for source in (DEFINE, CREATE, VERIFY)),
    *((source, "request.groupConfiguration") for source in TOKENS),
    (DEFINE, "request.session"),
]
# Without these nobody is proved, or it is not known whom the event is about.
REFUSED = [
    *((source, "userPoolId") for source in ROUTES),
    *((source, "userName") for source in (*MIGRATIONS, VERIFY)),
    *((VERIFY, f"request.{field}") for field in ("privateChallengeParameters", "challengeAnswer")),
    (VERIFY, "request"),
    ("PreSignUp_SignUp", "request"),
    ("UserMigration_Authentication", "request"),
    ("UserMigration_Authentication", "request.password"),
]


def world_of(source):
    """A migration with bob: pending, or known where Cognito asks about a name that it does not have."""
    world = new_world()
    world.sub = world.add_old("bob", {"email": "bob@x.com", "email_verified": "true"}, groups=["admins"])
    world.publish()
    if source not in {*MIGRATIONS, *SIGN_UPS}:
        world.precreate("bob")
    return world


def event_of(world, source):
    """A whole event of the source."""
    name = "newcomer" if source in SIGN_UPS else "bob"
    return world.event(source, name, **copy.deepcopy(REQUESTS[source]))


def without(event, path, form):
    """The event with a field taken away, null or empty."""
    event = copy.deepcopy(event)
    *parents, name = path.split(".", 2) if path.startswith("request.") else [path]
    inside = event
    for parent in parents:
        inside = inside[parent]
    if name in inside or form is not ABSENT:
        inside[name] = {} if form == "" and name in {"request", "response", "userAttributes"} else form
        if form is ABSENT:
            del inside[name]
    return event


def outcome(world, event):
    """What the function answers, or that it denies; and what the ledger says of bob afterwards."""
    try:
        answer = world.handler(event, None)["response"]
    except DeniedError:
        answer = "denied"
    person = world.ledger.person(world.sub)
    # False and null are what Cognito asks with, and an answer that leaves them out says the same.
    said = {} if answer == "denied" else {name: value for name, value in answer.items() if value}
    # Each world has a sub of its own.
    return answer == "denied", json.loads(json.dumps(said).replace(world.sub, "SUB")), person.state, person.owed


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("source", "field"), SAME, ids=lambda it: it)
def test_what_is_not_told_is_looked_up(source, field, form):
    """The answer, and what the ledger says of the person, are those of the whole event."""
    whole, lacking = world_of(source), world_of(source)
    wanted = outcome(whole, event_of(whole, source))
    assert outcome(lacking, without(event_of(lacking, source), field, FORMS[form])) == wanted
    assert [line["outcome"] for line in lacking.log] == [line["outcome"] for line in whole.log]
    assert "fault" not in {line["outcome"] for line in lacking.log}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("source", "field"), REFUSED, ids=lambda it: it)
def test_what_cannot_be_looked_up_is_refused(source, field, form):
    """Nobody is let in, nothing changes, and the log has a refusal with its reason: no mistake of the function's."""
    world = world_of(source)
    before = world.everything()
    event = without(event_of(world, source), field, FORMS[form])
    try:
        answer = world.handler(event, None)["response"]
    except DeniedError:
        answer = {}
    assert not any(answer.get(name) for name in ("userAttributes", "answerCorrect", "finalUserStatus"))
    assert world.everything() == before
    assert [line["outcome"] for line in world.log] == ["refused"]


def test_a_capture_needs_no_status_in_the_events():
    """bob, of whom no event tells the status, is captured by an app, and signs in then."""
    world = world_of(VERIFY)
    event = without(event_of(world, VERIFY), f"request.userAttributes.{STATUS}", ABSENT)
    assert world.send(event)["answerCorrect"] is True
    assert world.state(world.sub) is PersonState.CAPTURED
    assert world.signs_in("bob", OLD_PASSWORD)


def test_a_user_without_a_status_who_is_not_confirmed_is_not_captured():
    """What the event does not tell is looked up, not assumed."""
    world = world_of(VERIFY)
    world.user("bob").status = "FORCE_CHANGE_PASSWORD"
    event = without(event_of(world, VERIFY), f"request.userAttributes.{STATUS}", ABSENT)
    assert world.send(event)["answerCorrect"] is False
    assert world.reasons() == ["new-user-is-not-confirmed"]


def test_another_users_marker_is_no_help_where_the_event_tells_no_sub():
    """The sub is the pool's own, so an event with somebody's marker captures nobody else."""
    world = world_of(VERIFY)
    world.cognito.admin_create_user(UserPoolId=world.new_id, Username="eve", MessageAction="SUPPRESS")
    world.cognito.admin_set_user_password(
        UserPoolId=world.new_id, Username="eve", Password="Eve-9876!x", Permanent=True
    )
    event = world.event(VERIFY, "eve", **REQUESTS[VERIFY])
    event["request"]["userAttributes"] = {MARKER: world.sub, STATUS: "CONFIRMED"}
    assert world.send(event)["answerCorrect"] is False
    assert world.state(world.sub) is PersonState.PENDING


# Fields inside of fields: nothing in there, or something that is not what it is documented to be.
IDENTITIES = ["", "null", "3", "[null]", "[{}]", "no JSON", '{"a": 1}', '[{"userId": null, "providerName": null}]']
DETAILS: list[object] = [{}, {"claimsToAddOrOverride": None, "groupOverrideDetails": None, "idTokenGeneration": None}]
NESTED = {
    **{f"request.userAttributes.{name}": [None, ""] for name in (MARKER, "email", "email_verified", "phone_number")},
    "request.userAttributes.identities": [None, *IDENTITIES],
    f"request.userAttributes.{STATUS}": ["A_NEW_STATUS"],
    "request.session": ["", [None], [{}], [{"challengeName": None, "challengeResult": None}]],
    "request.privateChallengeParameters": [{"asked": None}],
    "request.groupConfiguration": [{"groupsToOverride": None, "iamRolesToOverride": None, "preferredRole": None}],
    "response": [{"claimsOverrideDetails": one, "claimsAndScopeOverrideDetails": one} for one in DETAILS],
}


@pytest.mark.parametrize("source", ROUTES)
def test_what_is_inside_of_a_field_makes_no_fault(source):
    """Whatever is absent, null, empty or of another form in there, the function answers or denies, and has no fault."""
    for field, values in NESTED.items():
        for value in values:
            world = world_of(source)
            is_denied, *_ = outcome(world, without(event_of(world, source), field, value))
            (line,) = world.log
            assert line["outcome"] != "fault", (field, value, line)
            assert not is_denied or line["outcome"] == "refused", (field, value, line)


@pytest.mark.parametrize("source", [VERIFY, *CONFIRMED, *TOKENS])
@pytest.mark.parametrize("form", [None, ""], ids=["null", "empty"])
def test_a_marker_without_a_value_is_looked_up(source, form):
    """An event that names the marker and does not tell it is of the same person as one that does."""
    whole, lacking = world_of(source), world_of(source)
    wanted = outcome(whole, event_of(whole, source))
    assert outcome(lacking, without(event_of(lacking, source), f"request.userAttributes.{MARKER}", form)) == wanted


def test_a_forgotten_password_ends_the_capture_though_no_marker_is_told():
    """Where the event has no marker, the pool is asked, so that the old password never follows the chosen one."""
    source = CONFIRMED[0]
    world = world_of(source)
    world.send(without(event_of(world, source), f"request.userAttributes.{MARKER}", ABSENT))
    assert world.state(world.sub) is PersonState.RESET
    assert not world.captures("bob", OLD_PASSWORD)


def test_every_field_that_is_read_is_in_a_table():
    """A field of the request that the code begins to read has to be decided here."""
    read = set()
    for path in Path(trigger.handler.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(name)), *_]):
                    of = ast.unparse(value)
                case ast.Subscript(value=value, slice=ast.Constant(value=str(name)), ctx=ast.Load()):
                    of = ast.unparse(value)
                case _:
                    continue
            if of.endswith(("request", "event")):
                read.add(f"request.{name}" if of.endswith("request") else name)
    decided = {field for _, field in (*SAME, *REFUSED)}
    assert read - {"triggerSource"} <= decided
    assert {"request.session", "request.password", "userName"} <= read

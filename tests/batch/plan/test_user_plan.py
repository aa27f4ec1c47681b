from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.plan.naming import Naming
from batch.plan.user_plan import Action, Context, marker_of, plan_user
from batch.settings.decisions import Decision
from userpool.attributes import Attribute, AttributeRules, Schema
from userpool.description import Description
from userpool.errors import SettingsError
from userpool.identity import SignIn
from userpool.settings import Rules, UserRules
from userpool.user import Status, User

SECRET = "Countess-4711"
MARKER = "custom:legacy_sub"
SCHEMA = Schema({MARKER: Attribute(MARKER), "custom:tenant": Attribute("custom:tenant", longest=5)})
VERIFIED = {"email": "ada@example.com", "email_verified": "true"}
UNVERIFIED = {"email": "ada@example.com", "email_verified": "false"}

PLAIN, ALIAS, EMAIL = SignIn(), SignIn(alias_attributes=("email",)), SignIn(username_attributes=("email",))


def context(*, source: SignIn = PLAIN, target: SignIn = PLAIN, attributes=None, schema: Schema = SCHEMA, **users):
    """What is the same for all users; keywords are the rules of `users`."""
    rules = Rules(UserRules(**users), attributes or AttributeRules())
    naming = Naming(source, target, rules.users.username_from, rules.users.allow_unverified)
    return Context(rules, naming, schema, marker_of(rules, schema))


def ada(attributes=VERIFIED, *, username: str = "ada", status: Status = Status.CONFIRMED, enabled: bool = True) -> User:
    return User(username, "old-sub", attributes, status, enabled)


def description(sign_in: SignIn, schema: Schema = SCHEMA) -> Description:
    return Description("eu-west-1_Pool01", "123456789012", "eu-west-1", sign_in, schema, {}, 0, 0.0)


def test_an_ordinary_user_is_created_with_all_that_crosses():
    """A confirmed user is created under its name, with its attributes and the marker, and no reason is needed."""
    plan = plan_user(ada({**VERIFIED, "custom:gone": "x"}), context())
    assert (plan.action, plan.reason, plan.username) == (Action.CREATE, None, "ada")
    assert plan.attributes == {**VERIFIED, MARKER: "old-sub"}
    assert plan.dropped == ("custom:gone",)
    assert plan.has_reset_channel


CREATE, SKIP = Action.CREATE, Action.SKIP


@pytest.mark.parametrize(
    ("status", "rules", "action"),
    [
        (Status.CONFIRMED, {}, CREATE),
        (Status.FORCE_CHANGE_PASSWORD, {}, CREATE),
        (Status.RESET_REQUIRED, {}, CREATE),
        (Status.UNCONFIRMED, {}, SKIP),
        (Status.UNCONFIRMED, {"unconfirmed": "create"}, CREATE),
        (Status.EXTERNAL_PROVIDER, {}, SKIP),
        (Status.EXTERNAL_PROVIDER, {"unconfirmed": "create"}, SKIP),
        (Status.ARCHIVED, {}, SKIP),
        (Status.COMPROMISED, {}, SKIP),
        (Status.UNKNOWN, {}, SKIP),
        (Status.UNKNOWN, {"unconfirmed": "create"}, SKIP),
    ],
)
def test_the_status_decides_who_crosses(status, rules, action):
    """Only states that a user can be in honestly are carried over; whoever is left out is left out with a reason."""
    plan = plan_user(ada(status=status), context(**rules))
    assert plan.action is action
    assert (plan.reason is None) is (action is CREATE)


@pytest.mark.parametrize(("rules", "action"), [({}, CREATE), ({"disabled": "skip"}, SKIP)])
def test_the_disabled_cross_unless_told_otherwise(rules, action):
    """A disabled user is created too, unless users.disabled is skip, which then is the reason."""
    assert plan_user(ada(enabled=False), context(**rules)).action is action
    assert plan_user(ada(), context(**rules)).action is CREATE


def test_a_rule_that_leaves_a_user_out_is_named():
    """The reason names the setting that a person would change."""
    assert "users.unconfirmed" in plan_user(ada(status=Status.UNCONFIRMED), context()).reason
    assert "users.disabled" in plan_user(ada(enabled=False), context(disabled="skip")).reason
    assert "COMPROMISED" in plan_user(ada(status=Status.COMPROMISED), context()).reason
    assert "federated" in plan_user(ada(status=Status.EXTERNAL_PROVIDER), context()).reason


@pytest.mark.parametrize(
    ("user", "given"),
    [
        (ada({**VERIFIED, "custom:tenant": SECRET}), context()),
        (ada({"nickname": SECRET * 200}), context()),
        (
            ada({"custom:a": SECRET, "custom:tenant": "x"}),
            context(attributes=AttributeRules(rename={"custom:a": "custom:tenant"})),
        ),
        (ada({"email": SECRET}), context(target=EMAIL)),
        (ada({}), context(target=EMAIL)),
        (ada(UNVERIFIED), context(target=EMAIL)),
        (ada(username=f"{SECRET} @"), context()),
        (ada({"email": SECRET}, username="ada@example.com"), context(target=ALIAS)),
    ],
)
def test_who_cannot_be_created_is_blocked_with_a_reason_that_can_be_shown(user, given):
    """A value or name that the target would refuse blocks the user, for a reason that holds no value."""
    plan = plan_user(user, given)
    assert plan.action is Action.BLOCKED
    assert plan.reason
    assert SECRET not in plan.reason
    assert (plan.username, plan.attributes) == (None, {})


def test_all_problems_of_a_user_are_named_at_once():
    """A person who mends attributes sees everything that needs mending."""
    plan = plan_user(ada({"custom:tenant": "far too long", "nickname": "x" * 3000}), context())
    assert "custom:tenant" in plan.reason
    assert "nickname" in plan.reason


def test_a_decision_to_leave_a_user_out_is_followed():
    """Whoever was decided against is skipped, and even if it would be blocked."""
    for user in (ada(), ada({"custom:tenant": "far too long"})):
        plan = plan_user(user, context(), Decision("skip"))
        assert (plan.action, plan.reason) == (SKIP, "decided: skip")


def test_a_decided_name_is_taken():
    """Whoever was decided for is created under the name that was decided on, or its own."""
    assert plan_user(ada(), context(), Decision("create", "ada2")).username == "ada2"
    assert plan_user(ada(), context(), Decision("create")).username == "ada"


@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.EXTERNAL_PROVIDER, Status.COMPROMISED])
def test_a_decision_about_a_name_is_none_about_a_rule(status):
    """Deciding a collision for a user does not carry over who is left out for another reason."""
    assert plan_user(ada(status=status), context(), Decision("create", "ada2")).action is SKIP


def test_a_decided_name_that_cannot_be_is_blocked():
    """A decision for a name that the target would refuse, or that is another's address, blocks the user."""
    assert plan_user(ada(), context(), Decision("create", "ada lovelace")).action is Action.BLOCKED
    assert plan_user(ada(), context(target=EMAIL), Decision("create", "boss@example.com")).action is Action.BLOCKED


def test_who_could_not_reset_its_password_is_seen():
    """A user without a verified address, or whose address a rule drops or changes, has no way to reset its password."""
    assert not plan_user(ada(UNVERIFIED), context()).has_reset_channel
    assert not plan_user(ada(), context(attributes=AttributeRules(drop=("email",)))).has_reset_channel
    shared = AttributeRules(set={"email": "all@example.com"})
    assert not plan_user(ada(), context(attributes=shared)).has_reset_channel


@pytest.mark.parametrize(
    ("recovery", "factors", "reachable"),
    [
        (("phone_number", "email"), (), True),
        (("phone_number", "email"), ("EMAIL_OTP",), False),
        (("phone_number", "email"), ("SMS_MFA",), True),
        (("phone_number",), (), False),
        ((), (), False),
    ],
)
def test_a_code_goes_only_where_the_new_pool_sends_codes(recovery, factors, reachable):
    """A verified mailbox is no way to reset where codes go to phones alone, or only administrators reset passwords."""
    wanted = replace(context(), recovery=recovery)
    plan = plan_user(ada(), wanted)
    assert plan.with_factors(frozenset(factors), recovery).has_reset_channel is reachable
    assert plan.has_reset_channel is ("email" in recovery)


@pytest.mark.parametrize(
    ("name", "schema", "marker"),
    [
        (MARKER, SCHEMA, MARKER),
        (MARKER, Schema(), None),
        (None, SCHEMA, None),
    ],
)
def test_there_is_a_marker_if_the_target_has_a_place_for_it(name, schema, marker):
    """The old sub is kept where the configuration says and the target's schema allows, else nowhere."""
    given = context(keep_sub_as=name, schema=schema)
    assert given.marker == marker
    assert plan_user(ada({}), given).attributes == ({marker: "old-sub"} if marker else {})


def test_a_context_is_put_together_from_two_pools_and_the_rules():
    """What the pools say of themselves, and how users are to be named, meet in one value."""
    made = Context.of(Rules(UserRules(username_from="email")), description(PLAIN), description(EMAIL))
    assert (made.naming.source, made.target, made.marker) == (PLAIN, EMAIL, MARKER)
    assert plan_user(ada(), made).username == "ada@example.com"
    assert plan_user(ada(UNVERIFIED), made).action is Action.BLOCKED
    allowing = Context.of(Rules(UserRules(allow_unverified=True)), description(PLAIN), description(EMAIL))
    assert plan_user(ada(UNVERIFIED), allowing).action is CREATE


def test_rules_that_do_not_suit_the_target_are_refused():
    """A configured origin of names that the target cannot have is an error of the settings, not of each user."""
    with pytest.raises(SettingsError, match=r"users\.username_from"):
        Context.of(Rules(UserRules(username_from="sub")), description(PLAIN), description(EMAIL))


def test_a_plan_shown_in_a_log_has_no_personal_values():
    """The attributes are not part of a plan's repr."""
    assert SECRET not in repr(plan_user(ada({"nickname": SECRET}), context()))


anybody = st.builds(
    User,
    username=st.text(min_size=1, max_size=140),
    sub=st.uuids().map(str),
    attributes=st.dictionaries(
        st.sampled_from(["email", "email_verified", "phone_number", "preferred_username", "custom:tenant", "x"]),
        st.text(max_size=12) | st.sampled_from(["true", "ada@example.com"]),
    ),
    status=st.sampled_from(Status),
    enabled=st.booleans(),
)
contexts = st.builds(
    context,
    source=st.sampled_from([PLAIN, ALIAS, EMAIL]),
    target=st.sampled_from([PLAIN, ALIAS, EMAIL]),
    unconfirmed=st.sampled_from(["skip", "create"]),
    disabled=st.sampled_from(["keep", "skip"]),
)
decisions = st.none() | st.just(Decision("skip")) | st.builds(Decision, st.just("create"), st.none() | st.text())


@given(anybody, contexts, decisions)
def test_everybody_is_created_or_has_a_reason_why_not(user, given, decision):
    """Any user ends as exactly one of created with a name, or skipped or blocked with a reason and nothing else."""
    plan = plan_user(user, given, decision)
    if plan.action is CREATE:
        assert plan.username
        assert plan.reason is None
        assert plan.attributes[MARKER] == user.sub
    else:
        assert plan.action in {SKIP, Action.BLOCKED}
        assert plan.reason
        assert (plan.username, plan.attributes, plan.has_reset_channel) == (None, {}, False)


@given(anybody, contexts, decisions)
def test_the_same_user_gets_the_same_plan(user, given, decision):
    """A plan depends on the user, the rules and the decision alone."""
    assert plan_user(user, given, decision) == plan_user(user, given, decision)


@given(anybody, contexts)
def test_whoever_was_decided_against_is_never_created(user, given):
    """No rule outweighs a decision to leave a user out."""
    assert plan_user(user, given, Decision("skip")).action is SKIP


@pytest.mark.parametrize(
    ("name", "target", "verifiable"),
    [
        ("preferred_username", SignIn(alias_attributes=("preferred_username",)), False),
        ("email", SignIn(username_attributes=("email",)), True),
    ],
)
def test_a_remedy_for_an_unverified_sign_in_name_is_one_that_can_be_done(name, target, verifiable):
    """No pool verifies a preferred_username, so it is not told to; each remedy that is told lets the user cross."""
    user = ada({name: "ada@x.com" if verifiable else "countess"})
    plan = plan_user(user, context(target=target))
    assert plan.action is Action.BLOCKED
    assert ("verify it in the old pool" in plan.reason) is verifiable
    assert plan_user(user, context(target=target, allow_unverified=True)).action is Action.CREATE
    if not verifiable:
        assert plan_user(user, context(target=target, attributes=AttributeRules(drop=(name,)))).action is Action.CREATE

"""`check --live` on the sandbox: as it is, with answers that are otherwise, and with what can go wrong."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from batch.check.live.made_up_users import MOST_USERS, USERS, Stage
from batch.check.live.probe import ProbeOutcome
from batch.check.live.results import BY_HAND, PROBES, cost, probed
from batch.check.live.settings_probes import FILTERED, IGNORED, INCOMPLETE, judged
from batch.check.live.throw_away_pools import PREFIX, TAG, Making
from batch.pacing.pacer import Pacer
from batch.runtime.stopping import StoppedError
from batch.settings.prices import Prices
from sandbox.cognito import Cognito
from sandbox.in_process import client as client_of
from userpool.errors import FatalError, UnansweredError

HARMLESS = ""


class Otherwise:
    """A boto3 client some of whose methods answer otherwise: a function of the method and its parameters."""

    def __init__(self, client, **methods) -> None:
        self._client = client
        self._methods = methods

    def __getattr__(self, name):
        real = getattr(self._client, name)
        other = self._methods.get(name)
        return (lambda **parameters: other(real, parameters)) if other else real


class Account:
    """An account of its own, and how often it was called for what."""

    def __init__(self, **methods) -> None:
        self.local = Cognito()
        self.real = client_of(self.local)
        self.calls: Counter[str] = Counter()
        self.pauses: list[float] = []
        self.making = Making(Otherwise(self.real, **methods), self._called, self._called, token="0123abcd")

    def _called(self, operation, attempt, *, repeatable):  # noqa: ARG002 -- a Policy
        self.calls[operation] += 1
        return attempt()

    def results(self, probes=PROBES):
        """Ask."""
        return {result.probe.id: result for result in probed(self.making, self.pauses.append, probes)}

    @property
    def pools(self):
        """The names of the pools that there are."""
        return [pool["Name"] for pool in client_of(self.local).list_user_pools(MaxResults=60)["UserPools"]]

    @property
    def users(self):
        """Everybody in all pools."""
        pools = client_of(self.local).list_user_pools(MaxResults=60)["UserPools"]
        return [user for pool in pools for user in self.local.world.pool(pool["Id"]).users]


def refusing(code):
    """Refuse the call."""

    def refuse(_, parameters):
        raise ClientError({"Error": {"Code": code, "Message": "injected"}}, "made-up")

    return refuse


def when(wanted, other):
    """Answer otherwise where the parameters are as wanted."""
    return lambda real, parameters: other(real, parameters) if wanted(parameters) else real(**parameters)


def by_sub(parameters):
    """Whether a listing is by the sub's first digit."""
    return "sub" in parameters.get("Filter", "")


def named(*names):
    """Whether a call is about one of these users."""
    return lambda parameters: parameters.get("Username") in names


def passing(**changes):
    """Make the call with other parameters; None leaves one out."""

    def passed(real, parameters):
        changed = {**parameters, **changes}
        return real(**{name: value for name, value in changed.items() if value is not None})

    return passed


def test_on_the_sandbox_everything_is_as_expected():
    """Every probe is asked and its answer is the expected one; what was announced is made, and nothing is sent."""
    account = Account()
    results = account.results()
    assert {name: one.observed for name, one in results.items() if one.verdict is not ProbeOutcome.EXPECTED} == {}
    assert len(results) == len(PROBES)
    assert len(account.users) == USERS
    assert account.calls["AdminCreateUser"] + account.calls["SignUp"] == MOST_USERS
    assert [user.username for user in account.users if user.code] == []
    assert account.pauses == []
    assert account.making.remove() == []
    assert account.pools == []


def test_the_pools_are_tagged_and_can_be_deleted():
    """Both pools have the prefix, the tag, no deletion protection, and verify no address by a message."""
    account = Account()
    account.results([])
    assert account.pools == [f"{PREFIX}0123abcd-by-name", f"{PREFIX}0123abcd-by-mail"]
    for item in account.real.list_user_pools(MaxResults=60)["UserPools"]:
        found = client_of(account.local).describe_user_pool(UserPoolId=item["Id"])["UserPool"]
        assert found["UserPoolTags"] == TAG
        assert found.get("DeletionProtection") == "INACTIVE"
        assert not found.get("AutoVerifiedAttributes")


DEVIATIONS = {
    "a refused filter": (
        {"list_users": when(by_sub, refusing("InvalidParameterException"))},
        {"listing.sub-prefix": ("InvalidParameterException", "`listing: sequential`")},
    ),
    "an ignored filter": (
        {"list_users": when(by_sub, passing(Filter=None))},
        {"listing.sub-prefix": (IGNORED, "`listing: sequential`")},
    ),
    "a filter that loses users": (
        {"list_users": when(by_sub, lambda _real, _parameters: {"Users": []})},
        {"listing.sub-prefix": (INCOMPLETE, "`listing: sequential`")},
    ),
    "shorter pages": (
        {"list_users": when(lambda given: given.get("Limit") == 2, passing(Limit=1))},
        {"listing.pages": ("shorter pages", HARMLESS)},
    ),
    "a CONFIRMED user who cannot reset": (
        {"forgot_password": when(named("settled"), refusing("NotAuthorizedException"))},
        {"confirmed.forgot": ("NotAuthorizedException", "attach the trigger")},
    ),
    "a new user who could reset": (
        {
            "forgot_password": when(named("newcomer"), refusing("InvalidParameterException")),
            "admin_reset_user_password": when(named("newcomer"), refusing("InvalidParameterException")),
        },
        {
            "created.forgot": ("InvalidParameterException", HARMLESS),
            "created.reset": ("InvalidParameterException", HARMLESS),
        },
    ),
    "a permanent password that is none": (
        {"admin_set_user_password": when(named("settled"), passing(Permanent=False))},
        {
            "permanent.status": ("FORCE_CHANGE_PASSWORD", "attach the trigger"),
            "permanent.sign-in": ("NEW_PASSWORD_REQUIRED", "`ledger: null`"),
            "confirmed.forgot": ("NotAuthorizedException", "attach the trigger"),
        },
    ),
    "a disabled user who gets no password": (
        {"admin_set_user_password": when(named("disabled"), refusing("NotAuthorizedException"))},
        {"disabled.set-password": ("NotAuthorizedException", "`users.disabled: skip`")},
    ),
    "a disabled user who is let in": (
        {"admin_disable_user": lambda _real, _parameters: {}},
        {"disabled.sign-in": ("tokens", "`users.disabled: skip`")},
    ),
    "a case-insensitive pool that tells ADA from Ada": (
        {"admin_create_user": when(named("ADA"), passing(Username="somebody"))},
        {"case.same-name": ("accepted", "let a person decide")},
    ),
    "an alias that moves": (
        {"admin_create_user": when(named("grace"), passing(ForceAliasCreation=True))},
        {"alias.taken": ("accepted", "UsernameAttributes")},
    ),
    "a taken alias by another code": (
        {"admin_create_user": when(named("grace"), refusing("UsernameExistsException"))},
        {"alias.taken": ("UsernameExistsException", HARMLESS)},
    ),
    "UpdateGroup that clears": (
        {"update_group": passing(Description="")},
        {"group.update": ("cleared", HARMLESS)},
    ),
    "a precedence of 0 that is lost": (
        {"create_group": passing(Precedence=None)},
        {"group.precedence": ("lost", "begin at 1")},
    ),
    "UpdateUserPool that changes more": (
        {"update_user_pool": when(lambda given: "Policies" in given, passing(Policies=None))},
        {"pool.kept": ("Policies", "by your template")},
    ),
    "UpdateUserPool that refuses what was described": (
        {"update_user_pool": when(lambda given: "Policies" in given, refusing("InvalidParameterException"))},
        {"pool.kept": ("InvalidParameterException", "by your template")},
    ),
    "UpdateUserPool that keeps MFA": (
        {"update_user_pool": when(lambda given: "Policies" not in given, lambda _real, _parameters: {})},
        {"pool.reset": ("OPTIONAL", HARMLESS)},
    ),
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_deviation_is_told_by_the_very_probe(name):
    """What Cognito does otherwise is told by the probe that is about it and by no other, with the setting to choose."""
    methods, expected = DEVIATIONS[name]
    results = Account(**methods).results()
    found = {one: result for one, result in results.items() if result.verdict is not ProbeOutcome.EXPECTED}
    assert {one: result.observed for one, result in found.items()} == {one: told[0] for one, told in expected.items()}
    for one, (_, advice) in expected.items():
        assert found[one].verdict is (ProbeOutcome.CHOOSE if advice else ProbeOutcome.HARMLESS)
        assert advice in found[one].advice


def test_a_listing_may_lag_behind():
    """A shard that lacks somebody at first is listed again after a pause, since listings are eventually consistent."""
    lacking = iter([True])

    def late(real, parameters):
        return {"Users": []} if next(lacking, False) else real(**parameters)

    account = Account(list_users=when(by_sub, late))
    (result,) = account.results([probe for probe in PROBES if probe.id == "listing.sub-prefix"]).values()
    assert result.verdict is ProbeOutcome.EXPECTED
    assert len(account.pauses) == 1


subs = st.uuids(version=4).map(str)


@given(st.sets(subs, min_size=1, max_size=6), st.data())
def test_shards_are_judged(known, data):
    """Shards that hold all who are known are filtered; with one lost they are incomplete, with a stranger ignored."""
    shards = {sub[0]: frozenset(other for other in known if other[0] == sub[0]) for sub in known}
    assert judged(shards, frozenset(known)) == FILTERED
    one = data.draw(st.sampled_from(sorted(known)))
    assert judged({**shards, one[0]: shards[one[0]] - {one}}, frozenset(known)) == INCOMPLETE
    stranger = data.draw(subs.filter(lambda sub: sub[0] != one[0]))
    assert judged({**shards, one[0]: shards[one[0]] | {stranger}}, frozenset(known)) == IGNORED


def test_what_is_not_allowed_is_named_and_the_rest_goes_on():
    """A call that is not allowed leaves its probes untold, with the permission to grant, and all others answered."""
    results = Account(admin_disable_user=refusing("AccessDeniedException")).results()
    untold = {name: one for name, one in results.items() if one.verdict is ProbeOutcome.UNTOLD}
    assert set(untold) == {"disabled.set-password", "disabled.sign-in"}
    assert all("grant cognito-idp:AdminDisableUser" in one.problem for one in untold.values())
    assert {one.verdict for name, one in results.items() if name not in untold} == {ProbeOutcome.EXPECTED}


def test_nothing_that_sends_a_code_is_asked_about_who_has_an_address():
    """ForgotPassword and AdminResetUserPassword are not even called for a user with an address."""
    account = Account()
    stage = Stage.made_by(account.making, account.pauses.append)
    for ask in (stage.by_name.forget_password, stage.by_name.reset_password):
        with pytest.raises(FatalError, match="has an address"):
            ask(stage.ada.username)
    assert not {"ForgotPassword", "AdminResetUserPassword"} & account.calls.keys()


def test_no_other_pool_can_be_called():
    """The client refuses every call about a pool or app client that it has not made, but for describing one."""
    account = Account()
    theirs = client_of(account.local).create_user_pool(PoolName="theirs")["UserPool"]["Id"]
    app = client_of(account.local).create_user_pool_client(UserPoolId=theirs, ClientName="app")["UserPoolClient"]
    for call in (
        lambda: account.real.delete_user_pool(UserPoolId=theirs),
        lambda: account.real.list_users(UserPoolId=theirs),
        lambda: account.real.sign_up(ClientId=app["ClientId"], Username="bob", Password="Passw0rd!Passw0rd!"),
        lambda: account.real.get_user(AccessToken="made-up"),
    ):
        with pytest.raises(PermissionError):
            call()
    assert account.real.describe_user_pool(UserPoolId=theirs)["UserPool"]["Name"] == "theirs"
    account.results()
    account.making.remove()
    assert account.pools == ["theirs"]


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5, 20, 50])
def test_a_stop_at_any_call_leaves_no_pool(after):
    """Whenever it is stopped, before the first pool or in the middle, no further probe is asked and no pool is left."""
    local, stop, calls = Cognito(), threading.Event(), Counter()
    real = client_of(local)

    def count(**_):
        calls["all"] += 1
        if calls["all"] == after:
            stop.set()

    real.meta.events.register("before-call", count)
    cleaning = Pacer({}, share=1.0).policy()
    making = Making(real, Pacer({}, share=1.0, stopping=stop).policy(), cleaning, token="0123abcd")
    with pytest.raises(StoppedError):
        probed(making, stop.wait)
    assert calls["all"] < after + 3
    assert making.remove() == []
    assert client_of(local).list_user_pools(MaxResults=60)["UserPools"] == []


def test_a_pool_whose_creation_got_no_answer_is_found_again():
    """If CreateUserPool is carried out and not answered, the pool is found by its random name and deleted."""

    def unanswered(real, parameters):
        real(**parameters)
        raise UnansweredError("CreateUserPool: no answer")

    account = Account(create_user_pool=when(lambda given: given["PoolName"].endswith("by-mail"), unanswered))
    with pytest.raises(UnansweredError):
        account.results()
    assert len(account.pools) == 2
    assert account.making.remove() == []
    assert account.pools == []


def test_what_earlier_checks_have_left():
    """Left over is what has the prefix, the tag and an hour; everything else is not."""
    account = Account()
    make = client_of(account.local).create_user_pool
    old = make(PoolName=f"{PREFIX}old", UserPoolTags=TAG)["UserPool"]["Id"]
    make(PoolName=f"{PREFIX}untagged")
    make(PoolName="tagged", UserPoolTags=TAG)
    now = datetime.now(UTC)
    assert account.making.left_over(now) == []
    assert [pool.pool_id for pool in account.making.left_over(now + timedelta(hours=1, minutes=1))] == [old]


def test_the_price():
    """The cost is that of users beyond the free ones, at the list price, or at one's own."""
    assert f"at most ${MOST_USERS * 0.015:.2f} (list price" in cost(None)
    assert f"at most your prices: ${MOST_USERS * 2:.2f}." in cost(Prices(mau=2))


def test_points_have_names_of_their_own():
    """No two points have the same id, whether tested or left to be tested by hand."""
    ids = [point.id for point in (*PROBES, *BY_HAND)]
    assert len(ids) == len(set(ids))

"""The second factors of the old pool: read user by user, and what of them can be set for a user of another pool."""

from __future__ import annotations

import threading
from dataclasses import replace
from io import StringIO
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from migrating import FINGERPRINT, Watched, refused, unanswered
from planned import context, person, store, verified

from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover
from batch.inventory.second_factors import Asked, FactorsTable
from batch.pacing.pacer import Pacer
from batch.plan.after_cutover import record_cutover
from batch.plan.plan import make_plan
from batch.plan.user_plan import Context
from batch.report.export import EXPORTS
from batch.run.set_second_factors import judge
from batch.runtime.progress_bar import ProgressBars
from batch.runtime.stopping import StoppedError
from batch.scan.scan import Scan
from sandbox.made_up.seed import EVERY_FACTOR
from userpool.attributes import AttributeRules
from userpool.errors import FatalError, SettingsError, UnansweredError
from userpool.factors import MAIL, PASSKEY, SMS, TOTP, Factors, Preference, to_enrol, to_set
from userpool.pool import UserPool
from userpool.quotas import DEFAULT_RPS
from userpool.settings import Rules, UserRules

ASKS = "AdminGetUserAuthFactors"
BY_SMS = Factors(frozenset({SMS}))
WITHOUT = {f"user{number}": Factors() for number in (3, 4)}
SCANNED = {
    "user0": Factors(frozenset({SMS}), SMS),
    "user1": Factors(frozenset({SMS, MAIL})),
    "user2": Factors(frozenset({MAIL}), MAIL),
    **WITHOUT,
}

names = st.frozensets(st.sampled_from((SMS, MAIL, TOTP)))


def preferences(*of):
    """Second factors of these, and one of those that are on preferred, or none."""
    on = st.frozensets(st.sampled_from(of))
    return on.flatmap(lambda on: st.builds(Preference, st.just(on), st.sampled_from((None, *sorted(on)))))


carried, there_now = preferences(SMS, MAIL), preferences(SMS, MAIL, TOTP)
factors = st.builds(Factors, names, st.sampled_from((SMS, MAIL, TOTP, None)), st.booleans())
attributes = st.dictionaries(st.sampled_from(("email", "phone_number")), st.sampled_from(("", "x")))


def switch(client, pool_id, username, *, sms=False, mail=False, preferred=None):
    """Set a user's second factors as an administrator does."""
    client.admin_set_user_mfa_preference(
        UserPoolId=pool_id,
        Username=username,
        SMSMfaSettings={"Enabled": sms, "PreferredMfa": preferred == SMS},
        EmailMfaSettings={"Enabled": mail, "PreferredMfa": preferred == MAIL},
    )


@pytest.fixture
def machine(tmp_path, client):
    """A machine to scan an old pool of five users from, of whom three have second factors."""
    pool_id = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    for username, has in SCANNED.items():
        pairs = {"email": f"{username}@example.com", "phone_number": "+15550100"}
        client.admin_create_user(
            UserPoolId=pool_id,
            Username=username,
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": name, "Value": value} for name, value in pairs.items()],
        )
        switch(client, pool_id, username, sms=SMS in has.second, mail=MAIL in has.second, preferred=has.preferred)
    return Machine(tmp_path, client, pool_id)


class Machine:
    """Where scans run: the inventory, the calls they make, and what they say."""

    def __init__(self, folder, client, pool_id) -> None:
        self.path = folder / "migration.db"
        self.pool_id = pool_id
        self.watched = Watched(client)
        self.pacer = Pacer(dict.fromkeys(DEFAULT_RPS, 1e9), sleep=lambda _seconds: None)
        self.said: list[str] = []

    def scan(self, *, stop=None, workers=4, asking=True, by_phone=False):
        """Scan as the command does; keep the calls of this scan."""
        self.watched.calls.clear()
        with Inventory.open(self.path, FINGERPRINT, create=True) as inventory:
            scan = Scan(
                UserPool(self.watched, self.pool_id, self.pacer.policy()),
                inventory,
                by_phone=by_phone,
                workers=workers,
                stop=stop or threading.Event(),
                progress=ProgressBars(quiet=True, out=StringIO()),
                factors=asking,
                say=self.said.append,
            )
            return scan.run(lambda _users, _groups: "group")

    def found(self):
        """Say what the inventory knows, by user name."""
        with Inventory.open(self.path, FINGERPRINT) as inventory:
            subs = dict(inventory.execute("SELECT sub, username FROM users").fetchall())
            return {subs[sub]: has for sub, has in FactorsTable(inventory).of(subs).items()}

    def cut_over(self):
        """Record the cut-over."""
        with Inventory.open(self.path, FINGERPRINT) as inventory, inventory.transaction():
            record_cutover(inventory, Cutover(1e12, 1))

    def planned(self):
        """Count what is planned, by action, and hold that who is blocked is told why."""
        with Inventory.open(self.path, FINGERPRINT) as inventory:
            summary = make_plan(inventory, context(mfa="preferences"), {})
            assert all("second factors" in reason for reason in summary.reasons.get("blocked", ()))
            return {action: count for action, count in summary.actions.items() if count}

    def rows(self):
        """Count who has a row."""
        with Inventory.open(self.path, FINGERPRINT) as inventory:
            return inventory.number("SELECT count(*) FROM factors")


def test_a_scan_reads_the_second_factors_of_everybody(machine):
    """Who has more than a password is in the inventory with what they have; the others have no row."""
    assert machine.scan().factors == 3
    assert machine.found() == SCANNED
    assert machine.rows() == 3
    assert machine.said == []


def test_where_mfa_is_required_a_phone_number_is_a_second_factor(machine):
    """Who lists no factor is asked for a code by SMS there, and so has SMS; who lists one is not asked that way."""
    machine.scan(by_phone=True)
    assert machine.found() == {**SCANNED, "user3": BY_SMS, "user4": BY_SMS}


def test_sms_that_was_set_the_old_way_is_read_from_the_listing(client, machine):
    """The call for the one user does not tell it; of who has set a preference since, it is of no account."""
    for username in ("user2", "user3"):
        options = [{"DeliveryMedium": "SMS", "AttributeName": "phone_number"}]
        client.admin_set_user_settings(UserPoolId=machine.pool_id, Username=username, MFAOptions=options)
    machine.scan()
    assert machine.found() == {**SCANNED, "user3": BY_SMS}


def test_one_user_whom_cognito_refuses_keeps_nobody_waiting(machine):
    """The scan ends, the user is not created and says why, and the next scan asks again; the first one, too."""

    def refuses(attempt, params):
        if params["Username"] in {"user0", "user3"}:
            raise refused("InvalidParameterException")
        return attempt()

    machine.watched.acts[ASKS] = refuses
    machine.scan()
    assert machine.said == []
    unread = Factors(unread="InvalidParameterException")
    assert machine.found() == {**SCANNED, "user0": unread, "user3": unread}
    assert machine.planned() == {"create": 3, "blocked": 2}
    machine.watched.acts.clear()
    machine.scan()
    assert machine.found() == SCANNED
    assert machine.planned() == {"create": 5}


def test_after_the_cut_over_only_who_is_not_known_is_asked_for(machine):
    """What was read before stays as it was; a user whom Cognito refused to tell of is asked for again."""

    def refuses(attempt, params):
        if params["Username"] == "user0":
            raise refused("InvalidParameterException")
        return attempt()

    machine.watched.acts[ASKS] = refuses
    machine.scan()
    machine.cut_over()
    machine.watched.acts.clear()
    machine.scan()
    assert {params["Username"] for name, params in machine.watched.calls if name == ASKS} == {"user0"}
    assert machine.found() == SCANNED


def test_a_question_that_is_not_answered_is_not_put_another_way(machine):
    """Whether Cognito knows the newer operation is not known then, and the older one costs money: the scan ends."""

    def gets_lost(_attempt, _params):
        raise unanswered()

    machine.watched.acts[ASKS] = gets_lost
    with pytest.raises(UnansweredError):
        machine.scan()
    assert machine.watched.count("AdminGetUser") == 0
    assert machine.said == []


def test_a_scan_that_is_not_asked_to_reads_no_second_factors(machine):
    """With users.mfa: ignore nobody is asked for."""
    assert machine.scan(asking=False).factors is None
    assert machine.watched.count(ASKS) == 0


def test_every_scan_reads_them_anew(client, machine):
    """What a user switched on or off since the last scan is found by the next one."""
    machine.scan()
    switch(client, machine.pool_id, "user0")
    switch(client, machine.pool_id, "user3", mail=True)
    machine.scan()
    assert machine.found() == {**SCANNED, "user0": Factors(), "user3": Factors(frozenset({MAIL}))}
    assert machine.rows() == 3


def test_a_stopped_scan_goes_on_with_those_whom_it_has_not_asked_for(machine):
    """Taken up again, a scan asks for the users that are left, and for one of them to see whether it can."""
    stop = threading.Event()

    def asks_to_stop(attempt, _params):
        if machine.watched.count(ASKS) >= 3:
            stop.set()
        return attempt()

    machine.watched.acts[ASKS] = asks_to_stop
    with pytest.raises(StoppedError):
        machine.scan(stop=stop, workers=1)
    machine.watched.acts.clear()
    machine.scan()
    assert machine.watched.count(ASKS) == 1 + 3
    assert machine.found() == SCANNED


def test_who_is_deleted_meanwhile_stops_nothing(client, machine):
    """A user who vanished between the listing and the question has no row."""

    def deletes(attempt, params):
        if params["Username"] == "user0":
            client.admin_delete_user(UserPoolId=machine.pool_id, Username="user0")
        return attempt()

    machine.scan()
    machine.watched.acts[ASKS] = deletes
    machine.scan()
    assert machine.found()["user0"] == Factors()
    assert machine.rows() == 2


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "UnknownOperationException", "InvalidAction", "OperationNotEnabledException"]
)
def test_without_the_newer_operation_the_older_one_is_asked(machine, code):
    """Where AdminGetUserAuthFactors is refused, it is tried once, a note says so, and AdminGetUser tells the rest."""

    def refuses(_attempt, _params):
        raise refused(code)

    machine.watched.acts[ASKS] = refuses
    assert machine.scan().factors == 3
    assert machine.found() == SCANNED
    assert (machine.watched.count(ASKS), machine.watched.count("AdminGetUser")) == (1, 5)
    [note] = machine.said
    assert "passkeys" in note
    assert "monthly active" in note


def test_federated_and_unconfirmed_users_are_not_asked_for(client, machine):
    """Who never confirmed the sign-up has no second factor, and costs no call."""
    app = client.create_user_pool_client(UserPoolId=machine.pool_id, ClientName="app")["UserPoolClient"]["ClientId"]
    client.sign_up(ClientId=app, Username="new", Password="Passw0rd!")
    machine.scan()
    asked = {params["Username"] for name, params in machine.watched.calls if name == ASKS}
    assert asked == set(SCANNED)


def test_passkeys_are_read_where_cognito_tells_them():
    """WEB_AUTHN among the factors to sign in with is a passkey; the answer of AdminGetUser tells of none."""
    answer = {"ConfiguredUserAuthFactors": ["PASSWORD", "WEB_AUTHN"], "UserMFASettingList": [TOTP]}
    assert Factors.from_api(answer) == Factors(frozenset({TOTP}), None, passkey=True)
    assert Factors.from_api({"UserMFASettingList": [TOTP]}) == Factors(frozenset({TOTP}))


def test_an_app_that_is_registered_and_not_preferred_is_to_be_enrolled():
    """SOFTWARE_TOKEN among the configured factors is a TOTP app, though no preference lists it."""
    answer = {"ConfiguredUserAuthFactors": ["PASSWORD", "SOFTWARE_TOKEN"]}
    assert Factors.from_api(answer) == Factors(frozenset({TOTP}))
    assert Factors.from_api(answer, {SMS}) == Factors(frozenset({SMS, TOTP}))


@pytest.mark.parametrize("mode", ["OPTIONAL", "ON"])
def test_a_pool_is_described_with_the_factors_it_offers(client, mode):
    """GetUserPoolMfaConfig tells which; a phone number is a factor by itself only where MFA is required and by SMS."""
    pool = UserPool(client, client.create_user_pool(PoolName="offers")["UserPool"]["Id"])
    client.set_user_pool_mfa_config(UserPoolId=pool.pool_id, MfaConfiguration=mode, **EVERY_FACTOR)
    assert pool.describe_with_factors().factors == (SMS, MAIL, TOTP)
    assert pool.describe_with_factors().asks_by_phone == (mode == "ON")
    client.set_user_pool_mfa_config(
        UserPoolId=pool.pool_id, MfaConfiguration=mode, SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    assert pool.describe_with_factors().factors == (TOTP,)
    assert not pool.describe_with_factors().asks_by_phone


@given(factors, attributes, names)
def test_everything_a_user_has_is_set_or_to_be_enrolled(has, values, offered):
    """No factor is lost silently, none is added, and none is set unasked for, or without the attribute it needs."""
    setting, enrolling = to_set(has, values, offered), to_enrol(has, values, offered)
    assert setting.on <= offered
    assert setting.on | enrolling == has.second | ({PASSKEY} if has.passkey else frozenset())
    assert not setting.on & enrolling
    assert setting.on <= {SMS, MAIL}
    assert setting.preferred in {has.preferred, None}
    assert setting.preferred is None or setting.preferred in setting.on
    assert SMS not in setting.on or values["phone_number"]
    assert MAIL not in setting.on or values["email"]


@given(carried, carried, there_now)
def test_what_the_new_pool_changed_itself_is_never_written_over(before, wanted, there):
    """Each factor is as wanted if the old pool changed it, and else as it was; but for a last one that would go."""
    verdict = judge(before, wanted, there)
    goal = verdict.goal
    for factor in (SMS, MAIL, TOTP):
        changed = (factor in before.on) != (factor in wanted.on) and factor not in verdict.left
        assert (factor in goal.on) == (factor in (wanted if changed else there).on)
    assert goal.choice in {there.preferred, wanted.preferred, None}
    assert goal.on or not (wanted.on and there.on)
    if there in (before, wanted):
        assert (goal.on, goal.choice, verdict.left) == (wanted.on, wanted.choice, ())


@given(carried, carried, names)
def test_what_is_not_offered_stays_as_it_was_applied(wanted, applied, offered):
    """A run neither switches on nor off what no sign-in asks for; of the rest it is as wanted."""
    wanted = Preference(wanted.on & offered, wanted.preferred if wanted.preferred in offered else None)
    found = wanted.beside(applied, offered)
    assert found.on & offered == wanted.on
    assert found.on - offered == applied.on - offered
    assert found.preferred in {wanted.preferred, applied.preferred}


def preferences(*factors):
    """Every choice of these factors, with each preference there can be."""
    for count in range(len(factors) + 1):
        for on in combinations(factors, count):
            yield from (Preference(frozenset(on), preferred) for preferred in (None, *on))


def test_judged_again_factors_stay_as_they_became():
    """Killed right after the write, and rerun, nothing is changed once more and nothing becomes a conflict."""
    crossing = [*preferences(SMS, MAIL)]
    for before, wanted, there in product(crossing, crossing, preferences(SMS, MAIL, TOTP)):
        verdict = judge(before, wanted, there)
        again = judge(before, wanted, verdict.goal)
        assert again.goal.like(verdict.goal), (before, wanted, there)
        assert again.left in {verdict.left, ()}, (before, wanted, there)


@pytest.fixture
def inventory(tmp_path):
    """An empty inventory."""
    with Inventory.open(tmp_path / "plan.db", {}, create=True) as inventory:
        yield inventory


def known(inventory, has):
    """Keep users with a verified mailbox and an unverified number, and factors, as a scan would; by user name."""
    numbers = {"phone_number": "+15550100"}
    store(inventory, [person(name, attributes={**verified(f"{name}@x.com"), **numbers}) for name in has])
    tell(inventory, has)


def tell(inventory, has):
    """Keep factors as a scan would."""
    with inventory.transaction():
        scan = inventory.get_meta("scan")
        FactorsTable(inventory).save([Asked(f"sub of {name}", one) for name, one in has.items()], scan)
        FactorsTable(inventory).complete(scan)


def planned(inventory, mfa="preferences"):
    return make_plan(inventory, context(mfa=mfa), {})


def exported(inventory, name):
    """What an export says: the user names, and the last column."""
    return [(row[0], row[-1]) for row in EXPORTS[name].rows(inventory, None)]


def test_a_plan_says_what_is_set_and_what_is_to_be_enrolled(inventory):
    """SMS and e-mail cross where the attribute does; the rest is counted and exported for re-enrolment."""
    has = {
        "ada": Factors(frozenset({SMS, TOTP}), TOTP),
        "bob": Factors(frozenset({MAIL}), MAIL),
        "cyd": Factors(passkey=True),
        "dee": Factors(),
    }
    known(inventory, has)
    summary = planned(inventory)
    assert summary.factors == {MAIL: 1, SMS: 1}
    assert summary.enrol == {TOTP: 1, PASSKEY: 1}
    assert exported(inventory, "re-enrol") == [("ada", TOTP), ("cyd", PASSKEY)]


def test_a_factor_without_its_attribute_in_the_new_pool_is_to_be_enrolled(inventory):
    """Where a rule drops the phone number, SMS cannot be set, and its user is listed."""
    known(inventory, {"ada": Factors(frozenset({SMS}), SMS)})
    summary = make_plan(inventory, context(mfa="preferences", attributes=AttributeRules(drop=("phone_number",))), {})
    assert (summary.factors, summary.enrol) == ({}, {SMS: 1})


def test_who_gets_factors_by_the_only_mailbox_has_no_way_to_reset(inventory):
    """E-mail as a second factor takes the mailbox away as a reset channel, which the plan and an export say."""
    known(inventory, {"ada": Factors(frozenset({MAIL})), "bob": Factors(frozenset({SMS})), "cyd": Factors()})
    summary = planned(inventory)
    assert (summary.without_reset_channel, summary.one_channel) == (1, 1)
    assert exported(inventory, "no-second-channel") == [("ada", MAIL)]
    assert [name for name, _ in exported(inventory, "no-reset-channel")] == ["ada"]


def test_by_default_factors_are_of_no_concern(inventory):
    """With users.mfa: ignore a plan is the same whatever factors are known."""
    known(inventory, {"ada": Factors()})
    before = planned(inventory, "ignore")
    tell(inventory, {"ada": Factors(frozenset({MAIL}))})
    assert planned(inventory, "ignore") == before


def test_a_digest_changes_only_with_what_is_written(inventory):
    """Another TOTP app or passkey leaves the plan's digest as it is; another factor that is set does not."""
    known(inventory, {"ada": Factors(frozenset({SMS}))})
    before = planned(inventory).digest
    tell(inventory, {"ada": Factors(frozenset({SMS, TOTP}), TOTP, passkey=True)})
    assert planned(inventory).digest == before
    tell(inventory, {"ada": Factors(frozenset({SMS, MAIL}), SMS)})
    assert planned(inventory).digest != before


def test_a_plan_needs_a_scan_that_read_factors(inventory):
    """Factors that the last scan did not read are not taken for none: the plan refuses and says what to do."""
    known(inventory, {"ada": Factors(frozenset({SMS}))})
    store(inventory, [person("ada", attributes=verified("ada@x.com"))])
    with pytest.raises(SettingsError, match="cognito-migrate scan"):
        planned(inventory)
    assert planned(inventory, "ignore").actions["create"] == 1


def test_preferences_cannot_go_where_mfa_is_off(client):
    """users.mfa: preferences is refused where the new pool's MFA is OFF, with what to do about it."""
    made = client.create_user_pool(PoolName="off")["UserPool"]["Id"]
    off = UserPool(client, made).describe()
    rules = Rules(UserRules(mfa="preferences"))
    with pytest.raises(SettingsError, match=r"OFF in the new pool.*users\.mfa"):
        Context.of(rules, off, off)
    assert Context.of(rules, off, replace(off, mfa="OPTIONAL")).rules is rules


@pytest.mark.parametrize("error", [refused("LimitExceededException"), unanswered()], ids=["refused", "no answer"])
def test_a_refusal_of_everybody_ends_the_scan_and_a_rerun_asks_them_again(tmp_path, client, error):
    """After 25 equal refusals nobody else is asked, and nobody is blocked for it."""
    pool_id = client.create_user_pool(PoolName="old")["UserPool"]["Id"]
    for number in range(40):
        client.admin_create_user(UserPoolId=pool_id, Username=f"user{number}", MessageAction="SUPPRESS")
    machine, asked = Machine(tmp_path, client, pool_id), []

    def fails(attempt, params):
        asked.append(params)
        if len(asked) == 1:  # whether Cognito knows the operation is tried with the first user
            return attempt()
        raise error

    machine.watched.acts[ASKS] = fails
    with pytest.raises(FatalError, match="everybody"):
        machine.scan(workers=1)
    assert len({one["Username"] for one in asked}) < 40
    machine.watched.acts.clear()
    machine.scan()
    assert machine.planned() == {"create": 40}

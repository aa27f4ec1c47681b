"""A team's own pool, made up anew: what is kept of it, and what must not be recognised."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import create_user
from pools import by_name, by_sub, read_pool
from signing_in import claims, new_client, sign_in

from sandbox.cognito import Cognito, shared
from sandbox.in_process import client as client_of
from sandbox.local import add_federated
from sandbox.made_up.disguise import Disguise
from sandbox.made_up.mixing import Mix
from sandbox.made_up.rehearsal import RehearsalError, fill_from_inventory, offer_alike
from sandbox.made_up.seed import PASSWORD, make_target, seed_source
from sandbox.sign_in.managed_login import sign_in_from

KEY = b"a key of the tests"
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFXYZåöéÅÖÉ.@+0123456789", min_size=1, max_size=30)


def shape(text: str) -> list[str]:
    """What of a text may still be seen: kinds of characters, and punctuation itself."""
    return [_kind(character) for character in text]


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    if not character.isalpha():
        return character
    return f"{'upper' if character.isupper() else 'other'} {'ascii' if character.isascii() else 'foreign'}"


@given(text=ANY)
def test_a_disguised_text_has_the_same_form(text):
    """Length, cases, digits and punctuation stay where they are."""
    assert shape(Disguise(KEY).text(text)) == shape(text)


@given(texts=st.lists(ASCII, max_size=20))
def test_equal_texts_stay_equal_and_different_ones_different(texts):
    """Within one run a text becomes the same each time, and long enough ones do not become the same as others."""
    disguise = Disguise(KEY)
    made_up = [disguise.text(text) for text in texts]
    assert [disguise.text(text) for text in texts] == made_up
    assert len(set(made_up)) == len(set(texts))


def test_short_texts_stay_different():
    """Each of 800 names of three digits becomes one of its own, the same again when it is met again."""
    disguise = Disguise(KEY)
    names = [f"{number:03}" for number in range(800)]
    made_up = [disguise.text(name) for name in names]
    assert len(set(made_up)) == 800
    assert [disguise.text(name) for name in names] == made_up


@given(text=LETTERS, data=st.data())
def test_texts_that_differ_in_case_alone_still_do(text, data):
    """However a text is typed, its disguise is the same but for the case."""
    typed = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in text)
    assert typed.casefold() == text.casefold()
    disguise = Disguise(KEY)
    one, other = disguise.text(text), disguise.text(typed)
    assert one.casefold() == other.casefold()
    assert (one == other) == (text == typed)


@given(text=st.text("abcdefghijklmnop0123456789", min_size=12))
def test_another_key_gives_another_disguise(text):
    """Who does not have the key cannot do it again, and the text itself is not what comes out."""
    one, other = Disguise(b"one").text(text), Disguise(b"other").text(text)
    assert one != other
    assert text not in {one, other}
    assert Disguise(b"one").text(text) == one


def test_without_a_key_each_run_has_its_own():
    """Two disguises without a given key have different ones."""
    text = "Bob.Smith.1977@example.com"
    assert Disguise().text(text) != Disguise().text(text)


@pytest.mark.parametrize("flag", ["true", "false"])
def test_flags_are_kept(flag):
    """Whether an address is verified is not disguised; an attribute of that value is."""
    assert Disguise(KEY).value("email_verified", flag) == flag
    assert Disguise(KEY).value("phone_number_verified", flag) == flag
    assert Disguise(KEY).value("nickname", flag) != flag


@given(number=st.integers(1_000_000, 99_999_999_999))
def test_a_phone_number_stays_one(number):
    """A disguised phone number does not begin with a zero, which Cognito would refuse."""
    assert Disguise(KEY).value("phone_number", f"+{number}")[1] != "0"


# From an inventory


@pytest.fixture
def scanned(client, migration):
    """An old pool of made-up users with collisions of both kinds, scanned; the client and the migration."""
    source = seed_source(client, users=120, random=Random(3), add_federated=add_federated)
    for number in range(4):
        for name in (f"Twin.{number}", f"twin.{number}", f"TWIN.{number}")[: 2 + number % 2]:
            create_user(client, source.pool_id, name, {"given_name": "Twin", "phone_number": f"+4930123456{number}"})
    made = migration(source.pool_id, make_target(client, kind="plain"))
    assert made("scan").code == 0
    return made


def filled(migration, **options) -> str:
    return fill_from_inventory(shared(), migration.state, **options)


def personal(pool) -> set[str]:
    """User names and values that tell who somebody is, without those so short that chance gives them."""
    values = {user.username for user in pool.users.values()}
    for user in pool.users.values():
        values |= {value for name, value in user.attributes.items() if not name.endswith("_verified")}
    return {value for value in values if len(value) > 4}


def test_the_rehearsal_pool_has_the_same_people_in_the_same_state(client, scanned):
    """Statuses, disabled users, groups and memberships are those of the real pool, user by user."""
    real = read_pool(client, scanned.source, by_sub)
    made_up = read_pool(client, filled(scanned), by_sub)
    assert made_up.groups == real.groups
    assert made_up.users.keys() == real.users.keys()
    for sub, user in real.users.items():
        other = made_up.users[sub]
        assert (other.status, other.enabled, other.groups) == (user.status, user.enabled, user.groups)
        assert (other.created, other.modified) == (user.created, user.modified)
        assert other.attributes.keys() == user.attributes.keys()
        assert shape(other.username) == shape(user.username)
        flags = {name for name in other.attributes if name.endswith("_verified")}
        assert {name: other.attributes[name] for name in flags} == {name: user.attributes[name] for name in flags}


def test_nobody_can_be_recognised(client, scanned):
    """No user name, e-mail address, name, phone number or other value of the real pool is in the other one."""
    real = personal(read_pool(client, scanned.source, by_sub))
    made_up = personal(read_pool(client, filled(scanned), by_sub))
    assert len(real) > 200
    assert real & made_up == set()


def test_real_values_are_kept_when_asked_for(client, scanned):
    """With `real` every user is the one of the real pool, attribute by attribute."""
    real = read_pool(client, scanned.source, by_sub)
    copied = read_pool(client, filled(scanned, real=True), by_sub)
    for sub, user in real.users.items():
        assert (copied.users[sub].username, copied.users[sub].attributes) == (user.username, user.attributes)


@pytest.fixture
def mixed(client, migration):
    """An old pool with links and profiles, scanned, and factors as a scan of preferences notes them."""
    mix = Mix(federated=0.1, linked=0.1)
    source = seed_source(client, users=40, random=Random(3), mix=mix, add_federated=add_federated)
    made = migration(source.pool_id, make_target(client, kind="plain", mix=mix))
    assert made("scan").code == 0
    with sqlite3.connect(made.state) as database:
        subs = [sub for (sub,) in database.execute("SELECT sub FROM users WHERE status = 'CONFIRMED' ORDER BY sub")]
        rows = [
            (subs[0], '["SMS_MFA"]', "SMS_MFA", 0, 1),
            (subs[1], '["SOFTWARE_TOKEN_MFA"]', None, 0, 1),
            (subs[2], "[]", None, 1, 1),
        ]
        database.executemany("INSERT INTO factors VALUES (?, ?, ?, ?, ?, NULL)", rows)
    database.close()
    return made, subs


def test_factors_are_rehearsed(client, mixed):
    """Whoever had factors when scanned has them, both pools offer them, and a passkey can be told."""
    migration, subs = mixed
    pool_id = filled(migration)
    offer_alike(shared(), pool_id, migration.target)
    told = [client.admin_get_user_auth_factors(UserPoolId=pool_id, Username=sub) for sub in subs[:4]]
    assert [one.get("UserMFASettingList") for one in told] == [["SMS_MFA"], ["SOFTWARE_TOKEN_MFA"], None, None]
    assert told[0]["PreferredMfaSetting"] == "SMS_MFA"
    assert ["WEB_AUTHN" in one["ConfiguredUserAuthFactors"] for one in told] == [False, False, True, False]
    for one in (pool_id, migration.target):
        assert client.get_user_pool_mfa_config(UserPoolId=one)["MfaConfiguration"] == "OPTIONAL"


@pytest.mark.parametrize("mode", ["OPTIONAL", "OFF"])
def test_mfa_is_rehearsed_without_factors_that_were_read(client, scanned, mode):
    """Where `plan` found MFA in the old pool, both pools of the rehearsal have it, so a scan may ask for factors."""
    client.set_user_pool_mfa_config(
        UserPoolId=scanned.source, MfaConfiguration=mode, SoftwareTokenMfaConfiguration={"Enabled": mode != "OFF"}
    )
    assert scanned("plan").code == 0
    pool_id, target = filled(scanned), make_target(client, kind="plain")
    offer_alike(shared(), pool_id, target)
    for one in (pool_id, target):
        assert client.get_user_pool_mfa_config(UserPoolId=one)["MfaConfiguration"] == mode


@pytest.mark.parametrize("real", [True, False])
def test_links_and_profiles_are_rehearsed(client, mixed, real):
    """Links and profiles are of the same providers, of other subjects unless `real`, and sign in through them."""
    migration, _ = mixed
    pool_id = filled(migration, real=real)
    client_id = new_client(client, pool_id)
    before, after = read_pool(client, migration.source, by_sub).users, read_pool(client, pool_id, by_sub).users
    seen = 0
    for sub, user in before.items():
        found = json.loads(after[sub].attributes.get("identities", "[]"))
        wanted = json.loads(user.attributes.get("identities", "[]"))
        names = ("providerName", "providerType", "primary")
        assert [[one[name] for name in names] for one in found] == [[one[name] for name in names] for one in wanted]
        assert all((one["userId"] == old["userId"]) is real for one, old in zip(found, wanted, strict=True))
        for one in found if user.enabled else ():
            with shared().world.lock:
                told = sign_in_from(shared().world, client_id, one["providerName"], one["userId"])
            seen += claims(told)["sub"] == sub
    assert seen >= 6
    assert len(read_pool(client, pool_id, by_sub).users) == len(before)


def collisions(migration) -> Counter:
    """How often which memberships meet in one collision, as `plan` found them."""
    result = migration("plan", "--json")
    found = result.json["collisions"]
    return Counter(tuple(sorted(tuple(sorted(user["groups"])) for user in users)) for users in found)


@pytest.mark.parametrize("real", [True, False])
def test_the_same_collisions_are_found(client, scanned, migration, tmp_path, real):
    """`plan` finds as many collisions as in the real pool, of users with the same groups."""
    expected = collisions(scanned)
    rehearsal = migration(filled(scanned, real=real), scanned.target, state=str(tmp_path / "rehearsal.db"))
    assert rehearsal("scan").code == 0
    assert collisions(rehearsal) == expected
    assert sum(expected.values()) >= 5
    assert len(expected) > 1


def test_everybody_signs_in_with_the_one_password(client, scanned):
    """A confirmed user of the rehearsal signs in with the made-up users' password."""
    pool_id = filled(scanned)
    client_id = new_client(client, pool_id)
    users = read_pool(client, pool_id, by_name).users.values()
    name = next(user.username for user in users if user.status == "CONFIRMED" and user.enabled)
    assert "AuthenticationResult" in sign_in(client, client_id, name, PASSWORD)


def test_who_left_the_pool_before_the_last_scan_is_left_out(client, scanned):
    """A user that a later scan did not see any more is not in the rehearsal."""
    before = read_pool(client, filled(scanned), by_sub).users.keys()
    gone = client.admin_get_user(UserPoolId=scanned.source, Username="Twin.0")["UserAttributes"]
    client.admin_delete_user(UserPoolId=scanned.source, Username="Twin.0")
    assert scanned("scan").code == 0
    left = before - read_pool(client, filled(scanned), by_sub).users.keys()
    assert left == {item["Value"] for item in gone if item["Name"] == "sub"}


def test_the_inventory_is_only_read(scanned):
    """The file has the same bytes after."""
    before = scanned.state.read_bytes()
    filled(scanned)
    assert scanned.state.read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100], ids=["no file", "empty", "other bytes"])
def test_what_is_no_inventory_is_refused(tmp_path, content):
    """A file that is not there or is something else gives a sentence that names it."""
    path = tmp_path / "migration.db"
    if content is not None:
        path.write_bytes(content)
    cognito = Cognito()
    with pytest.raises(RehearsalError, match=r"migration\.db"):
        fill_from_inventory(cognito, path)
    assert client_of(cognito).list_user_pools(MaxResults=1)["UserPools"] == []


def test_another_database_is_refused(tmp_path):
    """A SQLite file of somebody else's is no inventory."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE users (name TEXT)")
    database.close()
    with pytest.raises(RehearsalError, match="is not an inventory"):
        fill_from_inventory(Cognito(), path)


def test_a_scan_that_is_not_complete_is_refused(scanned):
    """An inventory whose scan was stopped is no pool to rehearse with."""
    with sqlite3.connect(scanned.state) as database:
        database.execute("UPDATE meta SET value = '1.0' WHERE key = 'scan_started'")
    database.close()
    with pytest.raises(RehearsalError, match="not complete"):
        filled(scanned)

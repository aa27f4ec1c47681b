"""`explain`, as a person at a terminal has it."""

from __future__ import annotations

from looking import created, ok, table
from pools import read_pool


def test_a_user_is_found_by_every_name(half):
    """Old and new user name and sub, and a sign-in name in another case, all mean the same user."""
    row = next(row for row in table(created(half)) if row["username"].lower() != row["username"])
    expected = ok(half("explain", row["sub"], "--json")).json
    assert [case["sub"] for case in expected] == [row["sub"]]
    for name in (row["username"], row["new_username"], row["new_sub"], row["username"].lower()):
        assert ok(half("explain", name, "--json")).json == expected


def test_what_is_said_of_a_user(half):
    """Both pools, plan, progress and ledger are told, and what to do next."""
    row = table(created(half))[0]
    (case,) = ok(half("explain", row["sub"], "--json")).json
    assert case["old"]["username"] == row["username"]
    assert case["plan"]["action"] == "create"
    assert (case["done"]["state"], case["done"]["new_sub"]) == ("done", row["new_sub"])
    assert (case["new"]["ours"], case["new"]["sub"]) == (True, row["new_sub"])
    assert case["ledger"]["state"] == "pending"
    assert case["memberships"] == {"missing": [], "taken_away": [], "added": []}
    lines = ok(half("explain", row["sub"])).out.splitlines()
    assert lines[0] == f"{row['username']}, old sub {row['sub']}"
    assert [line.split(":")[0].strip() for line in lines[1:7]] == [
        *("old pool", "scanned", "plan", "done", "new pool", "ledger")
    ]
    assert lines[-1].startswith("Next: ")


def test_everybody_can_be_explained_without_a_personal_value(half, client):
    """Users of every kind have a next step, and no value of an attribute is printed but where it is a name."""
    people = read_pool(client, half.source, key=lambda user: user.sub).users
    for sub, user in [*people.items()][::4]:
        result = ok(half("explain", sub))
        assert "Next: " in result.out
        names = {user.username, sub}
        values = {value for value in user.attributes.values() if len(value) > 5} - names
        assert not [value for value in values if value in result.out.replace(user.username, "")]


def test_those_of_a_collision_are_all_shown(half):
    """A name that means several users of the old pool shows each, with the decision that is needed."""
    colliding = table(half("export", "collisions", "--output", "-"))
    cases = ok(half("explain", colliding[0]["username"], "--json")).json
    of_set = {row["username"] for row in colliding if row["set"] == colliding[0]["set"]}
    assert {case["username"] for case in cases} == of_set
    assert {case["next"]["command"] for case in cases} == {"cognito-migrate export collisions"}


def test_who_is_left_out_is_found_by_a_value(half, client):
    """Who has no name in the new pool is found by e-mail address, in any case."""
    (user, *_) = [one for one in read_pool(client, half.source, key=lambda u: u.sub).users.values() if unconfirmed(one)]
    cases = ok(half("explain", user.attributes["email"].upper(), "--json")).json
    assert user.sub in [case["sub"] for case in cases]


def unconfirmed(user):
    return user.status == "UNCONFIRMED" and "email" in user.attributes


def test_who_signed_up_after_the_scan(half, client):
    """A user whom only the old pool knows is found there; the next step is a scan."""
    client.admin_create_user(UserPoolId=half.source, Username="late", MessageAction="SUPPRESS")
    try:
        (case,) = ok(half("explain", "late", "--json")).json
    finally:
        client.admin_delete_user(UserPoolId=half.source, Username="late")
    assert (case["seen"], case["next"]["command"]) == ("never", "cognito-migrate scan")


def test_a_user_of_the_new_pool_only(half, client):
    """Somebody else's user is shown as such, and nothing is to be done."""
    client.admin_create_user(UserPoolId=half.target, Username="stranger", MessageAction="SUPPRESS")
    (case,) = ok(half("explain", "stranger", "--json")).json
    said = ok(half("explain", "stranger")).out
    client.admin_delete_user(UserPoolId=half.target, Username="stranger")
    assert (case["sub"], case["new"]["ours"], case["next"]["command"]) == (None, False, None)
    assert "NOT made by this migration" in said


def test_memberships_that_differ(half, client):
    """A membership that was taken away in the new pool, and one that was given there, are named."""
    row, case = next(
        (row, case)
        for row in table(created(half))
        for case in half("explain", row["sub"], "--json").json
        if case["new"]["groups"]
    )
    name, group = row["new_username"], case["new"]["groups"][0]
    client.create_group(UserPoolId=half.target, GroupName="new-one")
    client.admin_add_user_to_group(UserPoolId=half.target, Username=name, GroupName="new-one")
    client.admin_remove_user_from_group(UserPoolId=half.target, Username=name, GroupName=group)
    (case,) = half("explain", row["sub"], "--json").json
    assert case["memberships"] == {"missing": [], "taken_away": [group], "added": ["new-one"]}
    said = ok(half("explain", row["sub"])).out
    client.delete_group(UserPoolId=half.target, GroupName="new-one")
    client.admin_add_user_to_group(UserPoolId=half.target, Username=name, GroupName=group)
    assert f"memberships: taken away in the new pool {group}; only in the new pool new-one" in said


def test_nobody_of_that_name(half):
    """A name that means nobody is one sentence and code 2."""
    result = half("explain", "nobody@example.com")
    assert (result.code, "Nobody is called 'nobody@example.com'" in result.err) == (2, True)

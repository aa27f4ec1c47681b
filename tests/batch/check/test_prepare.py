from __future__ import annotations

import json
import os
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import LONG, at_a_terminal

from batch.check.prepare import Lacking, attribute_command, lacking
from userpool.attributes import Attribute, AttributeRules, Schema
from userpool.errors import SettingsError
from userpool.groups import GroupNames, GroupRules
from userpool.settings import PoolSettings, Rules, UserRules
from userpool.user import Group

MARKER = Attribute("custom:legacy_sub", mutable=False, shortest=0, longest=64)

NEW = PoolSettings("eu-west-1_New1", profile="shop", endpoint_url="http://127.0.0.1:5000")
OF_A_PROVIDER = "eu-west-1_OldPool01_Google"


def schema(*attributes: Attribute) -> Schema:
    return Schema({attribute.name: attribute for attribute in attributes})


def found(rules=None, source=(), target=(MARKER,), old_groups=(), new_groups=()):
    rules = rules or Rules()
    names = GroupNames(rules.groups, frozenset({OF_A_PROVIDER}))
    old, new = schema(*source), schema(*target)
    return lacking(rules, old, new, names=names, old_groups=old_groups, new_groups=new_groups)


def test_nothing_is_lacking_in_a_pool_that_has_everything():
    """Where every attribute and group has its place, there is nothing to add."""
    tenant, staff = Attribute("custom:tenant"), Group("staff")
    assert found(source=[tenant], target=[tenant, MARKER], old_groups=[staff], new_groups=[staff]) == Lacking()


def test_the_marker_comes_first_and_can_never_be_changed():
    """What keeps the old sub is immutable, whatever else is lacking."""
    assert found(source=[Attribute("custom:a")], target=[]).attributes == (MARKER, Attribute("custom:a"))
    assert found(Rules(users=UserRules(keep_sub_as=None)), target=[]).attributes == ()


def test_an_attribute_crosses_as_it_is_defined():
    """Type, bounds and mutability are the old pool's."""
    level = Attribute("custom:level", type="Number", mutable=False, least=1, greatest=9)
    assert found(source=[level]).attributes == (level,)


def test_rules_decide_what_is_wanted():
    """Dropped attributes are not added, renamed ones under their new name, and set ones as text."""
    rules = Rules(
        attributes=AttributeRules(
            drop=("custom:a",), rename={"custom:b": "custom:c", "nickname": "custom:nick"}, set={"custom:from": "old"}
        )
    )
    source = [Attribute("custom:a"), Attribute("custom:b", longest=9), Attribute("nickname"), Attribute("email")]
    names = {attribute.name: attribute for attribute in found(rules, source).attributes}
    assert names == {
        "custom:c": Attribute("custom:c", longest=9),
        "custom:nick": Attribute("custom:nick"),
        "custom:from": Attribute("custom:from"),
    }


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("dev:secret", "rename or drop"), ("custom:" + "x" * 21, "rename"), ("dev:custom:" + "x" * 21, "rename")],
)
def test_what_cannot_be_added_is_said(name, remedy):
    """A name that no custom attribute can have, or too long a one, is named with what to do."""
    lacks = found(source=[Attribute(name)])
    assert lacks.attributes == ()
    assert [(refused, remedy in reason) for refused, reason in lacks.refused] == [(name, True)]


@given(st.integers(0, 50), st.integers(0, 60))
def test_no_more_are_added_than_a_pool_can_have(there, wanted):
    """A pool ends with fifty custom attributes at most; each one too many is named."""
    old = [Attribute(f"custom:old{n}") for n in range(wanted)]
    new = [Attribute(f"custom:new{n}") for n in range(there)]
    lacks = found(Rules(users=UserRules(keep_sub_as=None)), source=old, target=new)
    assert len(lacks.attributes) == min(wanted, 50 - there)
    assert len(lacks.refused) == wanted - len(lacks.attributes)


def test_groups_go_by_their_new_names():
    """A dropped group is not created, a renamed one by its new name, each with role and precedence."""
    rules = Rules(groups=GroupRules(drop=("temp",), rename={"admin": "admins"}))
    role = "arn:aws:iam::123456789012:role/admin"
    lacks = found(
        rules,
        old_groups=[Group("temp"), Group("admin", "all", 0, role), Group(OF_A_PROVIDER)],
        new_groups=[Group("admin")],
    )
    assert lacks.groups == (Group("admins", "all", 0, role),)


def test_rules_that_merge_groups_are_refused():
    """Two old groups never become one."""
    with pytest.raises(SettingsError, match="each other's rights"):
        found(Rules(groups=GroupRules(rename={"a": "b"})), old_groups=[Group("a"), Group("b")])


def test_the_command_names_the_attribute_without_its_prefix():
    """Cognito puts `custom:` before the name by itself."""
    assert '"Name":"legacy_sub"' in attribute_command(NEW, MARKER)


def test_a_developer_only_attribute_is_added_as_what_it_is():
    """It is named without its prefix, which Cognito puts before it again, and said to be developer-only."""
    role = Attribute("dev:custom:role")
    assert found(source=[role]).attributes == (role,)
    words = shlex.split(attribute_command(NEW, role))
    definition = json.loads(words[words.index("--custom-attributes") + 1])
    assert (definition[0]["Name"], definition[0]["DeveloperOnlyAttribute"]) == ("role", True)


@pytest.fixture
def pools(client, migration):
    """A migration whose new pool lacks an attribute, the marker, and a group."""
    old = client.create_user_pool(
        PoolName="old", Schema=[{"Name": "tenant", "AttributeDataType": "String", "Mutable": True}]
    )["UserPool"]["Id"]
    new = client.create_user_pool(PoolName="new")["UserPool"]["Id"]
    client.create_group(UserPoolId=old, GroupName="staff", Precedence=0)
    # A ledger needs the marker, which is what is to be added.
    return migration(old, new, ledger={"table": "people", "endpoint_url": "http://127.0.0.1:9"})


def custom(client, pool_id):
    pool = client.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return {one["Name"] for one in pool["SchemaAttributes"] if ":" in one["Name"]}


def test_everything_that_is_lacking_is_added_once(client, pools):
    """--yes adds attributes and groups; the same command again finds nothing to add."""
    first = pools("prepare", "--yes", "--json")
    assert (first.code, first.json["added"]) == (0, ["custom:legacy_sub", "custom:tenant", "group staff"])
    assert custom(client, pools.target) == {"custom:legacy_sub", "custom:tenant"}
    assert client.get_group(UserPoolId=pools.target, GroupName="staff")["Group"]["Precedence"] == 0
    again = pools("prepare", "--yes")
    assert again.code == 0
    assert "has every attribute and group" in again.out


def test_a_dry_run_gives_the_commands_and_changes_nothing(client, pools, sandbox):
    """--dry-run says what is lacking and how to add it, by command or in a template."""
    sandbox.reset_counts()
    said = pools("prepare", "--dry-run")
    assert said.code == 0
    assert f"add-custom-attributes --user-pool-id {pools.target}" in said.out
    assert "CloudFormation" in said.out
    assert custom(client, pools.target) == set()
    assert set(sandbox.calls) <= {"DescribeUserPool", "ListGroups", "ListIdentityProviders"}


def test_a_command_to_copy_is_one_command_whatever_the_name():
    """An attribute's name with a quote in it cannot end the argument that holds it."""
    words = shlex.split(attribute_command(NEW, Attribute("custom:a';reboot;'")))
    definition = words[words.index("--custom-attributes") + 1]
    assert json.loads(definition)[0]["Name"] == "a';reboot;'"


def test_check_and_prepare_say_the_same_of_a_developer_only_attribute(client, pools):
    """The line that `check` prints is the one of `prepare`, which adds the attribute under its own name."""
    role = {"Name": "role", "AttributeDataType": "String", "Mutable": True, "DeveloperOnlyAttribute": True}
    client.add_custom_attributes(UserPoolId=pools.source, CustomAttributes=[role])
    pools.configure(ledger=None)  # nobody waits for one that is not there
    offered = pools("prepare", "--dry-run").out
    line = next(line for line in pools("check").out.splitlines() if '"Name":"role"' in line).strip()
    assert line in offered
    assert pools("prepare", "--yes").code == 0
    assert "dev:custom:role" in custom(client, pools.target)


@pytest.mark.parametrize(
    "rules",
    [
        {"set": {"custom:origin": "old"}},
        {"set": {"custom:tenant": "a"}},
        {"rename": {"custom:tenant": "custom:firm"}, "set": {"custom:origin": "old"}},
        {"rename": {"custom:tenant": "custom:a_name_that_is_too_long"}},
        {"drop": ["custom:tenant"], "set": {"nicname": "a"}},
    ],
    ids=str,
)
def test_check_and_prepare_find_the_same_attributes(pools, rules):
    """Whether the old pool has it or only attributes.set names it, both say that the new pool lacks it."""
    pools.configure(ledger=None, attributes=rules)
    lacking = pools("prepare", "--dry-run", "--json").json
    wanted = {one["name"] for one in lacking["attributes"]} | {name for name, _ in lacking["refused"]}
    findings = [one for one in pools("check", "--json").json["findings"] if one["code"] == "attribute-missing"]
    said = {one["what"].split()[5].rstrip(":,") for one in findings}
    assert said == wanted - {"custom:legacy_sub"}
    assert said


def test_what_only_the_rules_set_has_its_remedy(pools):
    """The line of `check` adds it; the other way out is to set it no more."""
    pools.configure(ledger=None, attributes={"set": {"custom:origin": "old"}})
    found = pools("check", "--json").json["findings"]
    (one,) = [one for one in found if "custom:origin" in one["what"]]
    assert (one["code"], one["severity"], '"Name":"origin"' in one["command"]) == ("attribute-missing", "error", True)
    assert "take it out of attributes.set" in one["remedy"]


def test_without_a_terminal_nothing_is_added(client, pools):
    """Nobody is there to say yes, so the sentence names --yes."""
    said = pools("prepare")
    assert said.code == 2
    assert "--yes" in said.err
    assert custom(client, pools.target) == set()


def test_each_is_asked_for(client, pools):
    """At a terminal only that is added to which a person says yes."""
    with at_a_terminal(pools, "prepare") as (process, keyboard):
        os.write(keyboard, b"n\ny\nn\n")
        out, asked = process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert "can never be changed or removed" in asked
    assert custom(client, pools.target) == {"custom:tenant"}
    assert "2 are lacking still" in out

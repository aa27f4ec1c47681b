from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userpool.attributes import Attribute, AttributeRules, Schema, translate
from userpool.errors import SettingsError
from userpool.user import User

MARKER = "custom:legacy_sub"
SECRET = "Halloumi-4711"
SCHEMA = Schema(
    {
        MARKER: Attribute(MARKER),
        "custom:tenant": Attribute("custom:tenant", shortest=2, longest=5),
        "custom:level": Attribute("custom:level", type="Number", least=0, greatest=99),
        "custom:beta": Attribute("custom:beta", type="Boolean"),
        "custom:note": Attribute("custom:note"),
    }
)

OURS = ["email", "phone_number", "nickname", "custom:note", "custom:level", "custom:gone"]
COGNITOS = ["email_verified", "phone_number_verified", "identities", "cognito:mfa_enabled"]
ours = st.sampled_from(OURS)
names = st.sampled_from(OURS + COGNITOS)
values = st.sampled_from(["true", "True", "false", "ada@example.com", "bob@example.com", "+3161", ""])
attribute_maps = st.dictionaries(names, values)
anything = st.dictionaries(names | st.text(max_size=12), st.text(max_size=60))
schemas = st.sets(names).map(lambda chosen: Schema({name: Attribute(name) for name in chosen}))


@st.composite
def rules_that_hold(draw) -> AttributeRules:
    """Rules that contradict nothing and do not overreach."""
    old, new = draw(st.lists(ours, max_size=3, unique=True)), draw(st.permutations(OURS))
    rename = dict(zip(old, new, strict=False))
    drop = draw(st.lists(names, max_size=3))
    given = draw(st.dictionaries(ours, values, max_size=2))
    return AttributeRules(
        drop=tuple(name for name in drop if name not in rename),
        rename=rename,
        set={name: value for name, value in given.items() if name not in rename.values()},
    )


def user(attributes: Mapping[str, str]) -> User:
    return User("ada", "old-sub", attributes)


def translated(attributes: Mapping[str, str], *, schema: Schema = SCHEMA, marker: str | None = None, **rules):
    return translate(user(attributes), AttributeRules(**rules), schema, marker)


def test_what_belongs_to_cognito_is_never_sent():
    """`sub`, `identities` and `cognito:` attributes do not cross, even if the schema lists them, and are no loss."""
    old = {"sub": "x", "identities": "[]", "cognito:user_status": "CONFIRMED", "name": "Ada"}
    schema = Schema({name: Attribute(name) for name in old})
    result = translated(old, schema=schema)
    assert result.attributes == {"name": "Ada"}
    assert result.dropped == ()


def test_what_the_target_cannot_hold_is_dropped_and_named():
    """A custom attribute that the target's schema lacks is left out and named, and is no reason to refuse the user."""
    result = translated({"custom:gone": SECRET, "custom:also_gone": SECRET, "custom:note": "kept"})
    assert result.attributes == {"custom:note": "kept"}
    assert result.dropped == ("custom:also_gone", "custom:gone")
    assert result.problems == ()


def test_standard_attributes_are_held_by_every_pool():
    """A standard attribute crosses even if the target's schema does not list it."""
    old = {"email": "ada@example.com", "email_verified": "true", "zoneinfo": "Europe/Amsterdam", "updated_at": "1"}
    result = translated(old, schema=Schema())
    assert result.attributes == old
    assert result.dropped == ()


def test_a_drop_rule_leaves_an_attribute_out_without_counting_it_as_lost():
    """What a rule drops is wished for, and so is not named as what the target has no place for."""
    result = translated({"custom:note": "x", "name": "Ada"}, drop=("custom:note",))
    assert result.attributes == {"name": "Ada"}
    assert result.dropped == ()


def test_a_rename_rule_moves_the_value_to_the_new_name():
    """A renamed attribute has its new name alone, and is judged by the new name's place in the schema."""
    assert translated({"custom:gone": "x"}, rename={"custom:gone": "custom:note"}).attributes == {"custom:note": "x"}
    lost = translated({"custom:note": "x"}, rename={"custom:note": "custom:elsewhere"})
    assert (lost.attributes, lost.dropped) == ({}, ("custom:elsewhere",))


def test_two_attributes_can_change_places():
    """Renames are done at once, not one after the other."""
    result = translated({"name": "1", "nickname": "2"}, rename={"name": "nickname", "nickname": "name"})
    assert result.attributes == {"nickname": "1", "name": "2"}


def test_a_set_rule_gives_everybody_the_value():
    """A set value is given to who lacks the attribute and replaces what others have."""
    for old in ({}, {"custom:note": "old"}):
        assert translated(old, set={"custom:note": "new"}).attributes == {"custom:note": "new"}


def test_two_values_for_one_name_are_a_problem():
    """A rename onto an attribute that the user also has is reported, not decided."""
    rename = {"custom:gone": "custom:note"}
    assert translated({"custom:gone": "x"}, rename=rename).problems == ()
    [problem] = translated({"custom:gone": SECRET, "custom:note": SECRET}, rename=rename).problems
    assert "custom:note" in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        ({"rename": {"custom:a": "custom:c", "custom:b": "custom:c"}}, "custom:c"),
        ({"rename": {"custom:a": "custom:c"}, "set": {"custom:c": "x"}}, "custom:c"),
        ({"rename": {"custom:a": "custom:b"}, "drop": ("custom:a",)}, "custom:a"),
        ({"set": {"email_verified": "true"}}, "email_verified"),
        ({"set": {"phone_number_verified": "false"}}, "phone_number_verified"),
        ({"rename": {"custom:trusted": "email_verified"}}, "email_verified"),
        ({"rename": {"phone_number_verified": "email_verified"}}, "verified"),
        ({"rename": {"email_verified": "custom:note"}}, "email_verified"),
        ({"set": {"sub": "x"}}, "sub"),
        ({"rename": {"sub": "custom:note"}}, "sub"),
        ({"rename": {"custom:a": "identities"}}, "identities"),
        ({"rename": {"identities": "custom:note"}}, "identities"),
        ({"set": {"cognito:user_status": "CONFIRMED"}}, "cognito:user_status"),
        ({"rename": {"cognito:mfa_enabled": "custom:note"}}, "cognito:mfa_enabled"),
    ],
)
def test_rules_that_contradict_or_overreach_are_refused(rules, name):
    """Rules that contradict each other, or touch verified flags or Cognito's own attributes, raise SettingsError."""
    with pytest.raises(SettingsError, match=name):
        AttributeRules(**rules)


@pytest.mark.parametrize(
    ("old", "rules", "flag", "expected"),
    [
        ({"email": "a@x.example", "email_verified": "true"}, {}, "email_verified", "true"),
        ({"email": "a@x.example", "email_verified": "false"}, {}, "email_verified", "false"),
        ({"email": "a@x.example"}, {}, "email_verified", None),
        ({"email_verified": "true"}, {}, "email_verified", None),
        ({"email": "a@x.example", "email_verified": "true"}, {"drop": ("email",)}, "email_verified", None),
        ({"email": "a@x.example", "email_verified": "true"}, {"drop": ("email_verified",)}, "email_verified", None),
        (
            {"email": "a@x.example", "email_verified": "true"},
            {"set": {"email": "b@x.example"}},
            "email_verified",
            "false",
        ),
        ({"email_verified": "true"}, {"set": {"email": "b@x.example"}}, "email_verified", "false"),
        (
            {"email": "a@x.example", "email_verified": "true", "custom:new": "b@x.example"},
            {"drop": ("email",), "rename": {"custom:new": "email"}},
            "email_verified",
            "false",
        ),
        (
            {"phone_number": "+311", "phone_number_verified": "true"},
            {"rename": {"phone_number": "custom:note"}},
            "phone_number_verified",
            None,
        ),
    ],
)
def test_a_verified_flag_crosses_only_with_the_value_that_was_verified(old, rules, flag, expected):
    """A flag is as it was if its value is as it was, false if the value is another, and gone if there is no value."""
    assert translated(old, **rules).attributes.get(flag) == expected


@given(attribute_maps, rules_that_hold(), schemas, st.sampled_from([None, MARKER]))
def test_nothing_becomes_verified(old, rules, schema, marker):
    """Whatever the user, rules and schema are, a value is verified only if that very value was verified before."""
    new = translate(user(old), rules, schema, marker).attributes
    for name in ("email", "phone_number"):
        if new.get(f"{name}_verified", "").lower() == "true":
            assert old.get(f"{name}_verified", "").lower() == "true"
            assert name in new
            assert new[name] == old.get(name)


@pytest.mark.parametrize(
    ("attribute", "fine", "refused"),
    [
        (Attribute("a", longest=5), ["", "12345", "ééééé"], ["123456"]),
        (Attribute("a", shortest=2), ["12"], ["1", ""]),
        (Attribute("a", type="Number"), ["0", "-1", "12"], ["twelve", "", "12 apples", "nan", "inf"]),
        (Attribute("a", type="Number", least=0, greatest=99), ["0", "99"], ["-1", "100"]),
        (Attribute("a", type="Boolean"), ["true", "False"], ["yes", "1", ""]),
        (Attribute("a"), ["x" * 2048, "é" * 1024], ["x" * 2049, "é" * 1025]),
        (Attribute("a", longest=4000), ["x" * 2048], ["x" * 2049]),
    ],
)
def test_a_value_that_the_pool_would_refuse_is_a_problem(attribute, fine, refused):
    """Length, range, kind and the 2,048 bytes of any value are judged at their very borders."""
    assert [value for value in fine if attribute.problem(value)] == []
    assert [value for value in refused if not attribute.problem(value)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("custom:tenant", SECRET),
        ("custom:level", SECRET),
        ("custom:beta", SECRET),
        ("custom:note", SECRET * 200),
        ("nickname", SECRET * 200),
    ],
)
def test_a_problem_names_the_attribute_and_never_its_value(name, value):
    """A problem can be printed: it holds the attribute's name and nothing of the value."""
    [problem] = translated({name: value}).problems
    assert name in problem
    assert SECRET not in problem


def test_a_set_value_that_the_pool_would_refuse_is_a_problem_too():
    """Values from rules are judged as those of users are."""
    [problem] = translated({}, set={"custom:tenant": "far too long"}).problems
    assert "custom:tenant" in problem


def test_the_marker_holds_the_old_sub_whatever_the_user_had_there():
    """The marker is the old sub even for a user whose attribute, or a rule, says something else."""
    assert translated({}, marker=MARKER).attributes == {MARKER: "old-sub"}
    assert translated({MARKER: "forged"}, marker=MARKER).attributes == {MARKER: "old-sub"}
    assert translated({}, marker=MARKER, set={MARKER: "forged"}).attributes == {MARKER: "old-sub"}
    assert translated({"name": "forged"}, marker=MARKER, rename={"name": MARKER}).attributes == {MARKER: "old-sub"}


def test_without_a_marker_the_old_sub_is_not_sent():
    """No attribute holds the old sub when none is to keep it."""
    assert "old-sub" not in translated({"name": "Ada"}, marker=None).attributes.values()


@given(anything, rules_that_hold(), schemas)
def test_translation_takes_anything_and_always_says_the_same(old, rules, schema):
    """Arbitrary attributes raise nothing, and their order does not matter."""
    backwards = dict(reversed(old.items()))
    assert translate(user(old), rules, schema, MARKER) == translate(user(backwards), rules, schema, MARKER)


@given(anything, rules_that_hold(), schemas)
def test_every_attribute_crosses_or_is_accounted_for(old, rules, schema):
    """Nothing vanishes: each old attribute is sent, named as dropped, reported as a clash, or was dropped by a rule."""
    result = translate(user(old), rules, schema, None)
    clashed = " ".join(result.problems)
    for name, value in old.items():
        if name in rules.drop or name in {"identities", "sub"} or name.startswith("cognito:"):
            continue
        new = rules.rename.get(name, name)
        there = result.attributes.get(new) in {value, rules.set.get(new)}
        flag_without_value = name.endswith("_verified")
        assert there or new in result.dropped or new in clashed or flag_without_value


@given(st.dictionaries(names, st.text(min_size=6, max_size=3000)), schemas)
def test_the_pool_can_hold_everything_that_is_sent(old, schema):
    """Only attributes that the schema, or every pool, has are sent."""
    result = translate(user(old), AttributeRules(), schema, MARKER)
    assert all(schema.get(name) for name in result.attributes)


def test_a_schema_is_read_from_cognitos_own_words():
    """Bounds, which Cognito gives as strings, and kinds are understood, and missing ones mean no bound."""
    schema = Schema.from_api(
        [
            {
                "Name": "custom:tenant",
                "AttributeDataType": "String",
                "Mutable": False,
                "Required": False,
                "StringAttributeConstraints": {"MinLength": "2", "MaxLength": "5"},
            },
            {
                "Name": "custom:level",
                "AttributeDataType": "Number",
                "Mutable": True,
                "Required": False,
                "NumberAttributeConstraints": {"MinValue": "0"},
            },
            {"Name": "email", "AttributeDataType": "String", "Mutable": True, "Required": True},
            {"Name": "sub", "AttributeDataType": "String", "Mutable": False, "Required": True},
        ]
    )
    assert schema.get("custom:tenant") == Attribute("custom:tenant", mutable=False, shortest=2, longest=5)
    assert schema.get("custom:level") == Attribute("custom:level", type="Number", least=0)
    assert schema.get("custom:unheard_of") is None
    assert schema.required == {"email"}


def test_a_translation_shown_in_a_log_has_no_values():
    """The values are not part of a translation's repr."""
    assert SECRET not in repr(translated({"custom:note": SECRET}))
    assert SECRET not in repr(user({"custom:note": SECRET}))


def test_an_old_value_under_the_marker_is_named_as_lost():
    """A user who already has the marker attribute gets the old sub there, and the plan says whose value is lost."""
    user = User("ada", "sub-1", {MARKER: "sub-of-an-earlier-pool"})
    translation = translate(user, AttributeRules(), SCHEMA, MARKER)
    assert translation.attributes[MARKER] == "sub-1"
    assert translation.dropped == (MARKER,)

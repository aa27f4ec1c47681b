from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from userpool.errors import SettingsError
from userpool.groups import GroupNames, GroupRules, made_for_providers

OLD = "eu-west-1_OldPool01"
names = st.sampled_from("abcd")
rules = st.builds(
    GroupRules,
    drop=st.lists(names, max_size=2).map(tuple),
    rename=st.dictionaries(names, names, max_size=3),
)


def names_of(**rules) -> GroupNames:
    return GroupNames(GroupRules(**rules), made_for_providers(OLD, ["Google", "Corp Saml"]))


def test_groups_cross_under_their_names_unless_told_otherwise():
    """Without rules every group keeps its name."""
    assert names_of().target_names(["Admins", "Trial"]) == {"Admins", "Trial"}


def test_a_dropped_group_does_not_cross():
    """A dropped group has no name in the new pool, not even if a rule renames it."""
    dropping = names_of(drop=("Trial",), rename={"Trial": "Guests"})
    assert dropping.target_name("Trial") is None
    assert dropping.target_names(["Admins", "Trial"]) == {"Admins"}


def test_a_renamed_group_has_its_new_name():
    """A rename is by the exact old name, and of no other."""
    renaming = names_of(rename={"admins": "Admins"})
    assert renaming.target_name("admins") == "Admins"
    assert renaming.target_name("ADMINS") == "ADMINS"


def test_a_group_that_cognito_made_for_a_provider_does_not_cross_unless_it_is_renamed():
    """The new pool makes its own for the profiles of a provider; a rule that names the old one has its way."""
    made = f"{OLD}_Google"
    assert names_of().target_names([made, f"{OLD}_Corp Saml", "admins"]) == {"admins"}
    assert names_of(rename={made: "fromGoogle"}).target_name(made) == "fromGoogle"
    assert names_of(rename={made: "fromGoogle"}, drop=(made,)).target_name(made) is None


@pytest.mark.parametrize(
    "name",
    [
        "eu-west-1_site12_managers",
        "us-east-1_tenant42_admin",
        "ap-south-1_x_y",
        "us-east-1_OldPool01_Google",
        OLD,
        f"{OLD}_",
        f"{OLD}_google",
        f"{OLD}_Google_admins",
        f"{OLD}_Gone",
        "Google",
    ],
)
def test_a_group_that_a_person_made_crosses_whatever_its_name_looks_like(name):
    """Only this pool's id with the exact name of one of its providers is Cognito's; no look of a name decides."""
    assert names_of().target_name(name) == name


@pytest.mark.parametrize(
    "rules",
    [
        names_of(rename={"a": "b"}),
        names_of(rename={"a": "c", "b": "c"}),
        names_of(rename={"a": "b", "b": "b"}),
    ],
)
def test_groups_that_would_become_one_are_refused(rules):
    """A rename onto a group that crosses too would give members each other's rights, and names both."""
    with pytest.raises(SettingsError, match=r"\ba\b.*\bb\b.*each other's rights"):
        rules.refuse_merging(["b", "a"])


@pytest.mark.parametrize(
    "rules",
    [
        names_of(),
        names_of(rename={"a": "b", "b": "a"}),
        names_of(rename={"a": "b"}, drop=("b",)),
        names_of(rename={"a": "c", "b": "c"}, drop=("a",)),
        names_of(drop=("a", "b")),
        names_of(rename={"a": "A"}),
        names_of(rename={"x": "a", "y": "b"}),
    ],
)
def test_groups_that_stay_apart_are_let_through(rules):
    """Changing places, taking a dropped group's name, or rules about groups that are not there merge nothing."""
    rules.refuse_merging(["a", "b"])
    crossing = [name for name in ("a", "b") if rules.target_name(name)]
    assert len(rules.target_names(["a", "b"])) == len(crossing)


@given(rules.map(GroupNames), st.lists(names, unique=True, max_size=6))
def test_merging_is_refused_exactly_when_a_right_would_spread(rules, groups):
    """Whatever the rules and groups, they are refused if and only if two of the groups would have one name."""
    crossing = [name for name in groups if rules.target_name(name) is not None]
    merged = len(rules.target_names(groups)) < len(crossing)
    try:
        rules.refuse_merging(groups)
    except SettingsError:
        assert merged
    else:
        assert not merged

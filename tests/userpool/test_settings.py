from __future__ import annotations

from dataclasses import FrozenInstanceError

import botocore.session
import pytest
from configured import NEW, OLD, read_config, refusal

from batch.settings.config import Config
from userpool.attributes import AttributeRules
from userpool.errors import SettingsError
from userpool.groups import GroupRules
from userpool.settings import LedgerSettings, PoolSettings, Rules, UserRules, read


def test_two_pool_ids_are_all_that_is_needed():
    """Every other setting has a default."""
    assert read_config() == Config(PoolSettings("eu-west-1_OldPool01"), PoolSettings("eu-west-1_NewPool01"))


def test_rules_are_read_into_their_own_values():
    """Lists, maps, choices and flags arrive as given, in values that cannot be changed."""
    rules = read(
        Rules,
        {
            "users": {"unconfirmed": "create", "disabled": "skip", "allow_unverified": True, "keep_sub_as": None},
            "attributes": {"drop": ["nickname"], "rename": {"custom:a": "custom:b"}, "set": {"locale": "nl"}},
            "groups": {"drop": ["Trial"], "rename": {"admins": "Admins"}, "create": False},
        },
        "",
    )
    assert rules.users == UserRules("create", "skip", "skip", allow_unverified=True, keep_sub_as=None)
    assert rules.attributes == AttributeRules(("nickname",), {"custom:a": "custom:b"}, {"locale": "nl"})
    assert rules.groups == GroupRules(drop=("Trial",), rename={"admins": "Admins"}, create=False)
    with pytest.raises(FrozenInstanceError):
        rules.users = UserRules()


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"sources": OLD}, "sources"),
        ({"source": {**OLD, "pool": "x"}}, "source.pool"),
        ({"users": {"unconfirmd": "skip"}}, "users.unconfirmd"),
        ({"attributes": {"dropp": []}}, "attributes.dropp"),
        ({"groups": {1: []}}, "groups.1"),
        ({"rate": {"shares": {"UserCreations": 0.5}}}, "UserCreations"),
        ({"rate": {"limits": {"AdminCreateUser": 50}}}, "AdminCreateUser"),
    ],
)
def test_an_unknown_key_is_named_with_those_there_are(settings, path):
    """A misspelt setting is refused by its path, with a list of what could have been meant."""
    said = refusal(**settings)
    assert path in said
    assert "there are: " in said


def test_a_missing_key_is_named():
    """A setting that has no default is asked for by its path."""
    assert "source.user_pool_id is missing: add it" in refusal(source={})
    assert "source.user_pool_id is missing: add it" in refusal(source=None)
    with pytest.raises(SettingsError, match="target is missing: add it"):
        read(Config, {"source": OLD}, "")


@pytest.mark.parametrize(
    ("settings", "path", "wanted"),
    [
        ({"state": True}, "state", "text"),
        ({"state": 5}, "state", "text"),
        ({"state": None}, "state", "text"),
        ({"collisions": False}, "collisions", "text"),
        ({"source": {"user_pool_id": 5}}, "source.user_pool_id", "text"),
        ({"source": {**OLD, "external_id": 123456}}, "source.external_id", "text"),
        ({"source": {**OLD, "region": True}}, "source.region", "text"),
        ({"source": "eu-west-1_OldPool01"}, "source", "keys and values"),
        ({"users": []}, "users", "keys and values"),
        ({"users": {"allow_unverified": 1}}, "users.allow_unverified", "true or false"),
        ({"users": {"allow_unverified": "yes"}}, "users.allow_unverified", "true or false"),
        ({"users": {"keep_sub_as": False}}, "users.keep_sub_as", "text"),
        ({"users": {"unconfirmed": "maybe"}}, "users.unconfirmed", "skip or create"),
        ({"users": {"disabled": True}}, "users.disabled", "keep or skip"),
        ({"users": {"external_provider": "create"}}, "users.external_provider", "skip"),
        ({"users": {"username_from": "name"}}, "users.username_from", "preferred_username"),
        ({"groups": {"create": 1}}, "groups.create", "true or false"),
        ({"groups": {"create": None}}, "groups.create", "true or false"),
        ({"groups": {"read": "all"}}, "groups.read", "auto or group or user"),
        ({"groups": {"drop": "Admins"}}, "groups.drop", "a list"),
        ({"groups": {"drop": False}}, "groups.drop", "a list"),
        ({"groups": {"drop": {"Admins": None}}}, "groups.drop", "a list"),
        ({"groups": {"drop": [2024]}}, "groups.drop", "text"),
        ({"groups": {"rename": ["Admins"]}}, "groups.rename", "a map"),
        ({"groups": {"rename": []}}, "groups.rename", "a map"),
        ({"groups": {"rename": {"Admins": None}}}, "groups.rename.Admins", "text"),
        ({"groups": {"rename": {False: "Norway"}}}, "groups.rename", "text"),
        ({"groups": {"rename": {8: "Ten"}}}, "groups.rename", "text"),
        ({"attributes": {"set": {"locale": False}}}, "attributes.set.locale", "text"),
        ({"attributes": {"set": ""}}, "attributes.set", "a map"),
        ({"rate": 0.5}, "rate", "keys and values"),
        ({"rate": {"share": "0.5"}}, "rate.share", "a number"),
        ({"rate": {"share": True}}, "rate.share", "a number"),
        ({"rate": {"shares": [0.5]}}, "rate.shares", "a map"),
        ({"rate": {"shares": {"UserCreation": "all"}}}, "rate.shares.UserCreation", "a number"),
        ({"rate": {"limits": "fast"}}, "rate.limits", "a map"),
        ({"rate": {"limits": None}}, "rate.limits", "leave it out"),
        ({"rate": {"limits": {"UserCreation": True}}}, "rate.limits.UserCreation", "a number"),
        ({"workers": "many"}, "workers", "a whole number"),
        ({"workers": 2.5}, "workers", "a whole number"),
        ({"workers": True}, "workers", "a whole number"),
        ({"workers": None}, "workers", "leave it out"),
    ],
)
def test_a_value_of_another_kind_is_named_with_what_it_can_be(settings, path, wanted):
    """A setting of the wrong type is refused by its path, with what it must be; nothing is converted."""
    said = refusal(**settings)
    assert path in said
    assert wanted in said


@pytest.mark.parametrize("section", ["rate", "users", "attributes", "groups"])
def test_an_empty_section_is_its_defaults(section):
    """A section with nothing under it, which YAML reads as null, is as if it were left out."""
    assert read_config(**{section: None}) == read_config()


@pytest.mark.parametrize("rules", ["drop", "rename", "set"])
def test_an_empty_list_or_map_is_none_at_all(rules):
    """A rule with nothing after its colon is no rule."""
    assert read_config(attributes={rules: None}) == read_config()


@pytest.mark.parametrize("path", ["ledger", "window"])
def test_what_is_not_used_may_be_left_null(path):
    """Settings that are off may be written out as null."""
    assert read_config(**{path: None}, users={"only": None}) == read_config()


def test_a_ledger_is_a_table():
    """The ledger has a name, and where it is if not where the new pool is."""
    assert read_config(ledger={"table": "cognito-migration"}).ledger == LedgerSettings("cognito-migration")
    assert "ledger.table is missing" in refusal(ledger={})
    assert "ledger must hold keys and values" in refusal(ledger=False)
    assert "ledger: table is 'a b'" in refusal(ledger={"table": "a b"})


@pytest.mark.parametrize(
    "pool_id", ["", "eu-west-1", "eu-west-1_", "_AbCdEf123", "euwest1_AbCdEf123", "eu-west-1_Ab Cd", "eu-west-1_Ab_Cd"]
)
def test_an_id_that_no_pool_can_have_is_refused(pool_id):
    """A mistyped pool id is found before anything is called, and the message shows what one looks like."""
    with pytest.raises(SettingsError, match="one looks like eu-west-1_AbCdEf123"):
        PoolSettings(pool_id)
    assert "source" in refusal(source={"user_pool_id": pool_id})


def test_the_region_is_that_of_the_id_unless_given():
    """The region is part of the pool's id, and can be set for a stand-in."""
    assert PoolSettings("ap-southeast-2_AbCdEf123").region_name == "ap-southeast-2"
    assert PoolSettings("local-1_AbCdEf123", region="eu-west-1").region_name == "eu-west-1"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"region": "us-east-1"}, "region is 'us-east-1'"),
        ({"region": "us-east-1", "endpoint_url": "http://127.0.0.1:5000"}, "region is 'us-east-1'"),
        ({"endpoint_url": "https://cognito-idp.us-east-1.amazonaws.com"}, "which is in us-east-1"),
        ({"endpoint_url": "https://cognito-idp-fips.us-east-1.amazonaws.com/"}, "which is in us-east-1"),
    ],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_region_that_contradicts_the_id_is_refused(side, settings, named):
    """A pool's id says its region: another one, or the address of AWS in another, is refused, and both are named."""
    said = refusal(**{side: {"user_pool_id": "eu-west-1_AbCdEf123", **settings}})
    assert named in said
    assert "the pool eu-west-1_AbCdEf123 is in eu-west-1" in said
    assert f"{side}: " in said


_PARTITIONS = [
    one for one in botocore.session.get_session().get_data("partitions")["partitions"] if "-iso" not in one["id"]
]


@pytest.mark.parametrize("service", ["cognito-idp", "cognito-idp-fips", "dynamodb"])
@pytest.mark.parametrize("domain", ["dnsSuffix", "dualStackDnsSuffix"])
@pytest.mark.parametrize("partition", _PARTITIONS, ids=[one["id"] for one in _PARTITIONS])
def test_an_address_of_every_partition_tells_its_region(partition, domain, service):
    """AWS's own address in another region is refused, in each partition but the isolated ones (botocore 1.44.8)."""
    for region in partition["regions"]:
        if region.endswith("-global"):
            continue
        url = f"https://{service}.{region}.{partition['outputs'][domain]}"
        assert PoolSettings(f"{region}_AbCdEf123", endpoint_url=url).region_name == region
        assert LedgerSettings("cognito-migration", region=region, endpoint_url=url).region == region
        elsewhere = "eu-west-2" if region == "eu-west-1" else "eu-west-1"
        with pytest.raises(SettingsError, match=f"which is in {region}"):
            PoolSettings(f"{elsewhere}_AbCdEf123", endpoint_url=url)


@pytest.mark.parametrize("url", ["https://cognito-idp.eu-west-1.amazonaws.com", "https://vpce-1.example.com"])
def test_an_address_that_does_not_contradict_the_id_is_taken(url):
    """AWS's own address in the same region, and any address that names no region, are taken."""
    assert PoolSettings("eu-west-1_AbCdEf123", endpoint_url=url).region_name == "eu-west-1"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"region": "europe"}, "'europe', which is no region"),
        ({"region": "eu-west-1", "endpoint_url": "https://dynamodb.us-east-1.amazonaws.com"}, "is in us-east-1"),
    ],
)
def test_a_ledger_in_two_regions_is_refused(settings, named):
    """The region of the ledger is a region, and that of its address."""
    assert named in refusal(ledger={"table": "cognito-migration", **settings})


def test_an_external_id_needs_a_role():
    """An external id without the role that asks for it is a mistake, with two ways out."""
    said = refusal(source={**OLD, "external_id": "x"})
    assert "source: external_id is used only with role_arn" in said
    role = "arn:aws:iam::123456789012:role/reader"
    assert read_config(source={**OLD, "external_id": "x", "role_arn": role}).source.external_id == "x"


@pytest.mark.parametrize("url", ["localhost:5000", "http://", "ftp://127.0.0.1"])
def test_an_impossible_endpoint_is_refused(url):
    """An endpoint must be an address of HTTP."""
    assert "endpoint_url" in refusal(target={**NEW, "endpoint_url": url})


def test_source_and_target_must_be_two_pools():
    """A pool is not migrated into itself."""
    assert "the same user pool: set target.user_pool_id" in refusal(target=OLD)


@pytest.mark.parametrize("name", ["email", "email_verified", "sub", "preferred_username", "legacy_sub", ""])
def test_the_old_sub_cannot_take_the_place_of_another_attribute(name):
    """The marker is a custom attribute: anything else would overwrite what users have, or be writable by them."""
    said = refusal(users={"keep_sub_as": name})
    assert "users: keep_sub_as" in said
    assert "custom:legacy_sub" in said


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"attributes": {"set": {"email_verified": "true"}}}, "attributes: email_verified"),
        ({"attributes": {"rename": {"a": "c", "b": "c"}}}, "attributes: c"),
    ],
)
def test_rules_are_checked_when_they_are_read(settings, path):
    """Rules that overreach are refused with the section that they stand in."""
    assert path in refusal(**settings)

"""Whether moto still needs each patch: a test fails when moto itself does what the patch is for."""

from __future__ import annotations

import pytest
from live import refused
from moto.cognitoidp import models
from moto.cognitoidp.models import CognitoIdpUserPool

from sandbox import moto_bridge
from sandbox.cognito import Cognito
from sandbox.errors import CognitoError
from sandbox.in_process import client

EMAIL = {"Name": "email", "Required": True}
TENANT = {"Name": "tenant", "AttributeDataType": "String", "Mutable": True}
LENGTHS = {"MinLength": "0", "MaxLength": "2048"}


class Pool:
    """A pool of moto's, called as the sandbox calls it."""

    def __init__(self, **options):
        self._moto = moto_bridge.Moto()
        self.id = self._call("CreateUserPool", PoolName="pool", **options)["UserPool"]["Id"]

    def _call(self, operation, **parameters):
        return self._moto.call(operation, parameters, "us-east-1")

    def update(self, **options):
        """Carry out UpdateUserPool."""
        self._call("UpdateUserPool", UserPoolId=self.id, **options)

    def switch_mfa_on(self):
        """Carry out SetUserPoolMfaConfig."""
        totp = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
        self._call("SetUserPoolMfaConfig", UserPoolId=self.id, MfaConfiguration="ON", **totp)

    def __getitem__(self, setting):
        return self._call("DescribeUserPool", UserPoolId=self.id)["UserPool"].get(setting)

    @property
    def inside(self):
        """The pool as moto keeps it."""
        return self._moto.pool(self.id)

    @property
    def key(self):
        """The signing key."""
        return self.inside.json_web_key

    @property
    def lengths(self):
        """The bounds of each string attribute."""
        return {item["Name"]: item.get("StringAttributeConstraints") for item in self["SchemaAttributes"]}


@pytest.fixture
def unpatched(monkeypatch):
    """Runs moto as it is."""
    for name, original in moto_bridge.ORIGINALS.items():
        monkeypatch.setattr(CognitoIdpUserPool, name, original)
    monkeypatch.setattr(models, "jwk", moto_bridge.ORIGINAL_JWK)


def test_moto_loses_the_standard_attributes(unpatched):
    """A moto pool with a schema of its own has no standard attributes but those it names."""
    assert Pool(Schema=[TENANT]).lengths.keys() == {"custom:tenant"}


def test_the_patch_keeps_the_standard_attributes():
    """A patched pool with a schema of its own has the standard attributes too."""
    assert {"sub", "email", "custom:tenant"} <= Pool(Schema=[TENANT]).lengths.keys()


def test_moto_loses_the_bounds_of_a_standard_attribute(unpatched):
    """A standard attribute that a moto pool's schema names without its type has no bounds."""
    assert not Pool(Schema=[EMAIL]).lengths["email"]


def test_the_patch_keeps_the_bounds_of_a_standard_attribute():
    """A standard attribute that a patched pool's schema names without its type has the usual bounds."""
    assert Pool(Schema=[EMAIL]).lengths["email"] == LENGTHS


def test_the_patch_keeps_bounds_that_are_given():
    """A standard attribute that a patched pool's schema bounds has these bounds."""
    bounds = {"MinLength": "1", "MaxLength": "9"}
    name = {"Name": "name", "AttributeDataType": "String", "StringAttributeConstraints": bounds}
    assert Pool(Schema=[name]).lengths["name"] == bounds


def test_moto_takes_both_kinds_of_sign_in(unpatched):
    """A moto pool may have both UsernameAttributes and AliasAttributes."""
    assert Pool(UsernameAttributes=["email"], AliasAttributes=["email"])["AliasAttributes"] == ["email"]


def test_the_patch_refuses_two_kinds_of_sign_in():
    """A patched pool with both UsernameAttributes and AliasAttributes is refused."""
    with pytest.raises(CognitoError, match="InvalidParameterException: Only one"):
        Pool(UsernameAttributes=["email"], AliasAttributes=["email"])


def test_moto_resets_what_can_not_be_changed(unpatched):
    """An update of a moto pool resets its sign-in attributes."""
    pool = Pool(UsernameAttributes=["email"])
    pool.update(AutoVerifiedAttributes=["email"])
    assert pool["UsernameAttributes"] is None


def test_the_patch_keeps_what_can_not_be_changed():
    """An update of a patched pool leaves its sign-in attributes as they are."""
    pool = Pool(UsernameAttributes=["email"])
    pool.update(AutoVerifiedAttributes=["email"])
    assert pool["UsernameAttributes"] == ["email"]


def test_moto_leaves_mfa_as_it_is(unpatched):
    """An update of a moto pool without MfaConfiguration leaves MFA on, and one with it changes nothing."""
    pool = Pool()
    pool.switch_mfa_on()
    pool.update(MfaConfiguration="OFF")
    assert pool.inside.mfa_config == "ON"


def test_moto_describes_mfa_as_it_was_at_first(unpatched):
    """A moto pool made with MfaConfiguration is described with it after SetUserPoolMfaConfig."""
    pool = Pool(MfaConfiguration="OFF")
    pool.switch_mfa_on()
    assert pool["MfaConfiguration"] == "OFF"


def test_the_patch_describes_mfa_as_it_is():
    """A patched pool is described with the MfaConfiguration that was set last, by whichever call."""
    pool = Pool(MfaConfiguration="OFF")
    pool.switch_mfa_on()
    assert pool["MfaConfiguration"] == "ON"
    pool.update(MfaConfiguration="OPTIONAL")
    assert pool["MfaConfiguration"] == "OPTIONAL"


def test_the_patch_resets_mfa():
    """An update of a patched pool without MfaConfiguration switches MFA off."""
    pool = Pool()
    pool.switch_mfa_on()
    pool.update(AutoVerifiedAttributes=["email"])
    assert pool["MfaConfiguration"] == "OFF"


def test_moto_takes_the_pools_id_for_a_setting(unpatched):
    """An update of a moto pool makes its id one of its settings, and does not change its name."""
    pool = Pool()
    pool.update(PoolName="renamed")
    assert pool.inside.extended_config["UserPoolId"] == pool.id
    assert pool["Name"] == "pool"


def test_the_patch_renames():
    """An update of a patched pool changes its name if it is given one, and leaves it otherwise."""
    pool = Pool()
    pool.update(PoolName="renamed")
    pool.update(AutoVerifiedAttributes=["email"])
    assert pool["Name"] == "renamed"


def test_moto_keeps_a_partial_policy(unpatched):
    """A password policy of a moto pool has only what it was given."""
    assert Pool(Policies={"PasswordPolicy": {"MinimumLength": 6}})["Policies"]["PasswordPolicy"] == {"MinimumLength": 6}


def test_the_patch_fills_up_a_policy():
    """A password policy of a patched pool says of everything whether it demands it."""
    policy = Pool(Policies={"PasswordPolicy": {"MinimumLength": 6}})["Policies"]["PasswordPolicy"]
    assert (policy["MinimumLength"], policy["RequireSymbols"], policy["TemporaryPasswordValidityDays"]) == (6, False, 7)
    assert Pool(Policies={"SignInPolicy": {}})["Policies"]["PasswordPolicy"]["RequireSymbols"] is True


def test_moto_reads_the_same_key_for_every_pool(unpatched):
    """Each moto pool reads its signing key anew, and it is the same."""
    first, second = Pool().key, Pool().key
    assert first is not second
    assert first.as_dict() == second.as_dict()


def test_the_patch_reads_the_key_once():
    """Patched pools share the signing key."""
    assert Pool().key is Pool().key


def test_every_patched_method_is_motos():
    """Each patch replaces a method of moto's, and each of these is in place."""
    for name, original in moto_bridge.ORIGINALS.items():
        assert original.__module__.startswith("moto.")
        assert getattr(CognitoIdpUserPool, name) is not original


def test_two_sandboxes_share_nothing():
    """Two sandboxes of one process do not see each other's pools."""
    first, second = client(Cognito()), client(Cognito())
    pool_id = first.create_user_pool(PoolName="pool")["UserPool"]["Id"]
    with refused("ResourceNotFoundException"):
        second.describe_user_pool(UserPoolId=pool_id)

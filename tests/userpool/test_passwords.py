from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from userpool.passwords import random_password

# Cognito's symbols, without the space: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-policies.html
SYMBOLS = set("^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+=")
LONGEST = 256  # the most that Cognito takes

policies = st.fixed_dictionaries(
    {},
    optional={
        "MinimumLength": st.integers(6, 99),
        "RequireUppercase": st.booleans(),
        "RequireLowercase": st.booleans(),
        "RequireNumbers": st.booleans(),
        "RequireSymbols": st.booleans(),
        "PasswordHistorySize": st.integers(0, 24),
        "TemporaryPasswordValidityDays": st.integers(0, 365),
    },
)


@given(policies)
def test_a_random_password_satisfies_any_policy(policy):
    """Whatever a pool's policy asks for, the password has it, and Cognito knows all its characters."""
    password = random_password(policy)
    assert policy.get("MinimumLength", 0) <= len(password) <= LONGEST
    characters = set(password)
    kinds = [set(string.ascii_lowercase), set(string.ascii_uppercase), set(string.digits), SYMBOLS]
    assert all(characters & kind for kind in kinds)
    assert characters <= set().union(*kinds)


@given(policies)
def test_no_two_passwords_are_alike(policy):
    """Each password is another one, and too long to be guessed even where the policy asks for little."""
    passwords = {random_password(policy) for _ in range(20)}
    assert len(passwords) == 20
    assert all(len(password) >= 32 for password in passwords)


def test_the_kinds_of_characters_have_no_fixed_places():
    """Which kind of character comes first is left to chance."""
    firsts = {random_password({})[0] for _ in range(300)}
    assert firsts & set(string.ascii_lowercase)
    assert firsts & set(string.ascii_uppercase)
    assert firsts & set(string.digits)
    assert firsts & SYMBOLS

"""What `check` does not speak of does not happen."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batch.check.facts import Described, Facts, Machine, PoolFacts, Read
from batch.check.finding import Severity
from batch.check.pools import schema
from batch.check.sign_in import passwords
from batch.lambda_trigger.capture_way import strong_enough
from batch.lambda_trigger.findings import StepVerdict
from batch.settings.config import Config
from userpool.attributes import Attribute, AttributeRules, Schema
from userpool.description import Description
from userpool.identity import SignIn
from userpool.settings import LedgerSettings, PoolSettings


def described(pool_id: str, **said) -> PoolFacts:
    """A pool of which nothing but its description was read."""
    description = Description(
        **{
            "pool_id": pool_id,
            "account": "123456789012",
            "region": "eu-west-1",
            "sign_in": SignIn(),
            "schema": Schema(),
            "password_policy": {},
            "estimated_users": 0,
            "clock_offset": 0.0,
            **said,
        }
    )
    return PoolFacts(Read(Described(description, {})), Read(), Read(), Read())


def facts_of(old: dict[str, Any], new: dict[str, Any], **settings) -> Facts:
    """A migration with a ledger between pools that are described so."""
    pools = PoolSettings("eu-west-1_OldPool01"), PoolSettings("eu-west-1_NewPool01")
    config = Config(*pools, ledger=LedgerSettings("ledger"), **settings)
    sides = (described(pool.user_pool_id, **said) for pool, said in zip(pools, (old, new), strict=True))
    return Facts(config, *sides, Machine("migration.db"))


def is_well(found) -> bool:
    """Whether there is neither an error nor a warning."""
    return not {one.severity for one in found} & {Severity.ERROR, Severity.WARNING}


policies = st.fixed_dictionaries(
    {"MinimumLength": st.integers(6, 12)},
    optional=dict.fromkeys(("RequireUppercase", "RequireLowercase", "RequireNumbers", "RequireSymbols"), st.booleans()),
)


@given(policies, policies, st.text(st.sampled_from("abcABC123!?"), min_size=5, max_size=14))
def test_a_password_that_the_new_pool_refuses_was_warned_of(old, new, password):
    """If nothing is said of the policies, the new pool takes every password that the old one took."""
    facts = facts_of({"password_policy": old}, {"password_policy": new})
    taken = [strong_enough(password, policy).verdict is StepVerdict.OK for policy in (old, new)]
    if is_well(passwords(facts)):
        assert taken != [True, False]


bounds = st.none() | st.integers(0, 12)
attributes = st.builds(
    Attribute,
    st.just("custom:tenant"),
    st.sampled_from(["String", "Number", "Boolean"]),
    mutable=st.booleans(),
    shortest=bounds,
    longest=bounds,
    least=bounds,
    greatest=bounds,
)
values = st.text("ab1", max_size=14) | st.integers(-3, 15).map(str) | st.sampled_from(["true", "false"])


def compared(old: Attribute | None, new: Attribute | None, **rules) -> bool:
    """Whether schemas of these attributes are well."""
    schemas = [{"schema": Schema({one.name: one} if one else {})} for one in (old, new)]
    facts = facts_of(*schemas, attributes=AttributeRules(**rules))
    return is_well(schema(facts))


@given(attributes, attributes, values)
def test_a_value_that_the_new_pool_refuses_was_warned_of(old, new, value):
    """If nothing is said of an attribute, the new pool takes every value that the old one took."""
    if compared(old, new) and old.problem(value) is None:
        assert new.problem(value) is None


@given(attributes)
def test_an_attribute_is_well_with_itself(attribute):
    """Between pools that are alike there is nothing to say; what is dropped on purpose is not missed."""
    assert compared(attribute, attribute)
    assert compared(attribute, None, drop=("custom:tenant",))
    assert not compared(attribute, None)

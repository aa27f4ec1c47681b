from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batch.plan.naming import Naming
from userpool.attributes import AttributeRules, Schema, translate
from userpool.errors import SettingsError, UserError
from userpool.identity import SignIn, UsernameFrom, identifiers
from userpool.user import User

KINDS = {
    "plain": SignIn(),
    "alias": SignIn(alias_attributes=("email",)),
    "email": SignIn(username_attributes=("email",)),
    "phone": SignIn(username_attributes=("phone_number",)),
    "both": SignIn(username_attributes=("email", "phone_number")),
}
PREFERRED = SignIn(alias_attributes=("preferred_username",))
ANY_CASE = SignIn(case_sensitive=False)

DOTLESS_I = "\N{LATIN SMALL LETTER DOTLESS I}"
SUB, EMAIL, PHONE = "5e0c0000-0000-4000-8000-00000000ada0", "ada@example.com", "+31612345678"
VERIFIED = {"email": EMAIL, "email_verified": "true", "phone_number": PHONE, "phone_number_verified": "true"}
UNVERIFIED = {"email": EMAIL, "email_verified": "false"}


def ada(source: SignIn = KINDS["plain"], attributes=VERIFIED, username: str | None = None) -> User:
    """A user as the old pool would list her."""
    return User(username or (SUB if source.username_attributes else "ada"), SUB, attributes)


def name_of(user: User, source: SignIn, target: SignIn, decided: str | None = None, **options) -> str:
    return Naming(source, target, **options).username(user, user.attributes, decided)


# What a pool lets users sign in with


def test_a_pool_that_says_nothing_is_case_sensitive_and_knows_names_only():
    """Without UsernameConfiguration case matters, as in pools made over the API; without lists there are no aliases."""
    assert SignIn.from_api({}) == SignIn((), (), case_sensitive=True)
    assert SignIn.from_api({"UsernameConfiguration": {}}).case_sensitive


def test_what_a_pool_says_is_read():
    """Aliases, user name attributes and case are read, in an order of their own."""
    pool = {"AliasAttributes": ["phone_number", "email"], "UsernameConfiguration": {"CaseSensitive": False}}
    assert SignIn.from_api(pool) == SignIn(alias_attributes=("email", "phone_number"), case_sensitive=False)
    pool = {"UsernameAttributes": ["phone_number", "email"], "UsernameConfiguration": {"CaseSensitive": True}}
    assert SignIn.from_api(pool) == KINDS["both"]


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (KINDS["plain"], "by user name, exactly as written"),
        (ANY_CASE, "by user name, in any case"),
        (KINDS["both"], "by e-mail address or phone number, exactly as written"),
        (KINDS["alias"], "by user name, or by verified e-mail address, exactly as written"),
    ],
)
def test_a_pool_is_described_in_words(pool, words):
    """A person can read what a pool lets its users sign in with."""
    assert str(pool) == words


# Folding


@pytest.mark.parametrize(
    "same",
    [
        ("Bob@X.com", "bob@x.com", "BOB@X.COM"),
        ("straẞe", "straße", "STRASSE", "strasse"),
        ("Isparta", f"{DOTLESS_I}sparta", "İsparta", "i\u0307sparta", "ISPARTA"),
        ("\uff41\uff44\uff41", "\uff21\uff24\uff21", "ada"),  # full width
        ("caf\u00e9", "cafe\u0301", "CAFE\u0301"),
        ("ﬁlip", "filip", "FILIP"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"),
    ],
)
def test_spellings_that_could_be_one_user_fold_to_one(same):
    """Case, compatibility forms, sharp s, Turkish i's and composition are no difference where case is none."""
    assert len({ANY_CASE.fold(spelling) for spelling in same}) == 1


def test_different_names_stay_different():
    """Folding does not unite what differs in more than its writing."""
    some = [
        "ada",
        "adá",
        "ad a",
        "ada1",
        "a.da",
        "ada@example.com",
        "ada+1@example.com",
        "ada@example.org",
        "\u0430da",
    ]  # the last is Cyrillic
    assert len({ANY_CASE.fold(name) for name in some}) == len(some)


# Letters, marks and dots that Unicode folds in odd ways are as likely here as all others together.
odd = st.sampled_from(f"iI{DOTLESS_I}İ\u0307\u0301\u0323ßẞ\u017f\u03c3ςΣΐŉǰﬁﬃᾳΆ\u0345\uff21\uff41\u212a\u212b")
written = st.text(st.one_of(odd, st.characters()), max_size=12)


@settings(max_examples=150)
@given(written)
@example("i\u0307\u0307\u0307")
@example(f"{DOTLESS_I}\u0307\u0301")
def test_folding_twice_changes_nothing(text):
    """What is folded is in its final form."""
    assert ANY_CASE.fold(ANY_CASE.fold(text)) == ANY_CASE.fold(text)


# Python itself loses the order of marks when it changes the case of a letter, so marks stand in the examples above.
unmarked = st.text(st.characters(exclude_categories=["M", "C"]), max_size=12)


@settings(max_examples=150)
@given(unmarked)
def test_case_does_not_survive_folding(text):
    """Upper and lower case of any text fold to the same."""
    assert ANY_CASE.fold(text.upper()) == ANY_CASE.fold(text.lower()) == ANY_CASE.fold(text)


@given(written)
def test_where_case_matters_nothing_is_folded(text):
    """A case-sensitive pool compares identifiers exactly as they are written."""
    assert KINDS["plain"].fold(text) == text


# What a user owns


@pytest.mark.parametrize(
    ("pool", "attributes", "owned"),
    [
        (KINDS["plain"], VERIFIED, {"Ada"}),
        (KINDS["email"], VERIFIED, {EMAIL}),
        (KINDS["email"], UNVERIFIED, {EMAIL}),
        (KINDS["phone"], VERIFIED, {PHONE}),
        (KINDS["both"], VERIFIED, {EMAIL, PHONE}),
        (KINDS["both"], UNVERIFIED, {EMAIL}),
        (KINDS["email"], {}, set()),
        (KINDS["alias"], VERIFIED, {"Ada", EMAIL}),
        (KINDS["alias"], UNVERIFIED, {"Ada"}),
        (KINDS["alias"], {"email": EMAIL}, {"Ada"}),
        (PREFERRED, {"preferred_username": "countess"}, {"Ada", "countess"}),
        (PREFERRED, {"preferred_username": ""}, {"Ada"}),
    ],
)
def test_a_user_owns_what_the_pool_would_let_it_sign_in_with(pool, attributes, owned):
    """An e-mail or phone alias counts once verified, a preferred name always, a user name attribute even unverified."""
    assert identifiers("Ada", attributes, pool).keys() == owned


def test_owned_identifiers_are_folded_and_say_what_they_are():
    """Identifiers are given in the form in which they are compared, with a word for each."""
    pool = SignIn(alias_attributes=("email",), case_sensitive=False)
    attributes = {"email": "Ada@Example.COM", "email_verified": "true"}
    assert identifiers("ADA", attributes, pool) == {"ada": "user name", EMAIL: "e-mail address"}


# Names in the target

AUTOMATIC = {
    # source:  plain, alias, email, phone, both in the target
    "plain": ("ada", "ada", EMAIL, PHONE, EMAIL),
    "alias": ("ada", "ada", EMAIL, PHONE, EMAIL),
    "email": (EMAIL, SUB, EMAIL, PHONE, EMAIL),
    "phone": (PHONE, PHONE, EMAIL, PHONE, EMAIL),
    "both": (EMAIL, SUB, EMAIL, PHONE, EMAIL),
}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [(s, t, name) for s, names in AUTOMATIC.items() for t, name in zip(KINDS, names, strict=True)],
)
def test_names_are_chosen_so_that_the_old_sign_in_goes_on_working(source, target, expected):
    """By default it is the old sign-in name, the value that the target demands, or the sub where an alias stands in."""
    pool = KINDS[source]
    assert name_of(ada(pool), pool, KINDS[target]) == expected


EXPLICIT = {"username": "ada", "sub": SUB, "email": EMAIL, "phone_number": PHONE}


@pytest.mark.parametrize(("origin", "target"), [*product(get_args(UsernameFrom), KINDS)])
def test_a_configured_origin_must_suit_the_target(origin, target):
    """A pool that signs users in by attributes takes names from those or by itself; any other takes all origins."""
    demanded = KINDS[target].username_attributes
    if demanded and origin not in {"auto", *demanded}:
        with pytest.raises(SettingsError, match=r"users\.username_from"):
            Naming(KINDS["plain"], KINDS[target], origin)
    else:
        assert Naming(KINDS["plain"], KINDS[target], origin).username_from == origin


@pytest.mark.parametrize(("origin", "source"), [*product(EXPLICIT, KINDS)])
def test_a_configured_origin_is_where_names_come_from(origin, source):
    """With users.username_from set, the name is that value for users of every kind of old pool."""
    pool = KINDS[source]
    expected = ada(pool).username if origin == "username" else EXPLICIT[origin]
    assert name_of(ada(pool), pool, KINDS["plain"], username_from=origin) == expected


@pytest.mark.parametrize(
    ("target", "origin"), [("email", "email"), ("both", "email"), ("both", "phone_number"), ("phone", "phone_number")]
)
def test_a_target_by_attributes_can_be_told_which_one(target, origin):
    """In a pool that signs users in by attributes, one of them can be asked for."""
    assert name_of(ada(), KINDS["plain"], KINDS[target], username_from=origin) == EXPLICIT[origin]


@pytest.mark.parametrize(
    ("source", "target", "origin"),
    [
        ("plain", "email", "auto"),
        ("plain", "both", "auto"),
        ("email", "phone", "auto"),
        ("phone", "plain", "email"),
        ("plain", "plain", "preferred_username"),
    ],
)
def test_without_the_value_there_is_no_name(source, target, origin):
    """A user who lacks the value that the name would come from is refused, and told which value it is."""
    user = ada(KINDS[source], {"email": EMAIL, "email_verified": "true"} if target == "phone" else {})
    with pytest.raises(UserError, match="add one in the old pool"):
        name_of(user, KINDS[source], KINDS[target], username_from=origin)


def test_a_proved_value_is_preferred_for_a_name():
    """Where e-mail and phone number would both do, the one that nobody vouches for is not what names the user."""
    user = ada(KINDS["both"], {**VERIFIED, "email": "old@example.com"})
    changed = {**VERIFIED, **UNVERIFIED}  # a rule gave it another address
    assert Naming(KINDS["both"], KINDS["plain"]).username(user, changed) == PHONE
    assert Naming(KINDS["both"], KINDS["plain"]).username(user, VERIFIED) == EMAIL


def test_an_unverified_value_beside_a_verified_one_is_refused_where_both_would_sign_in():
    """A target that signs users in by either value would accept the unverified one too."""
    attributes = {**VERIFIED, **UNVERIFIED}
    with pytest.raises(UserError, match="e-mail address, which is not verified"):
        name_of(ada(attributes=attributes), KINDS["plain"], KINDS["both"])
    assert name_of(ada(attributes=attributes), KINDS["plain"], KINDS["phone"]) == PHONE


# Unverified values


@pytest.mark.parametrize(
    ("source", "target", "username"),
    [
        ("plain", "email", None),
        ("plain", "both", None),
        ("alias", "email", None),
        ("phone", "email", None),
    ],
)
def test_an_unverified_value_does_not_become_an_identity(source, target, username):
    """Whoever only typed an e-mail address in does not get to sign in with it, unless the configuration says so."""
    pool = KINDS[source]
    user = ada(pool, UNVERIFIED, username)
    with pytest.raises(UserError, match=r"not verified.*allow_unverified"):
        name_of(user, pool, KINDS[target])
    assert name_of(user, pool, KINDS[target], allow_unverified=True) == EMAIL


@pytest.mark.parametrize(
    ("source", "target", "username"),
    [("email", "email", None), ("both", "email", None), ("email", "plain", None), ("plain", "email", EMAIL)],
)
def test_an_unverified_value_stays_the_identity_that_it_was(source, target, username):
    """Whoever already signed in with the unverified address goes on doing so."""
    pool = KINDS[source]
    assert name_of(ada(pool, UNVERIFIED, username), pool, KINDS[target]) == EMAIL


def test_an_old_identity_of_another_spelling_is_not_the_same():
    """A user name that only resembles the unverified address does not vouch for it."""
    with pytest.raises(UserError, match="not verified"):
        name_of(ada(attributes=UNVERIFIED, username=EMAIL.upper()), KINDS["plain"], KINDS["email"])


def test_a_preferred_name_becomes_an_alias_only_if_it_was_one():
    """A preferred name is free text where it is no alias, so there it gives nobody a name to sign in with."""
    user = ada(attributes={"preferred_username": "countess"})
    with pytest.raises(UserError, match="preferred user name"):
        name_of(user, KINDS["plain"], PREFERRED)
    assert name_of(user, PREFERRED, PREFERRED) == "ada"
    assert name_of(user, KINDS["plain"], PREFERRED, allow_unverified=True) == "ada"


def test_a_value_made_by_a_rule_is_not_vouched_for_by_the_old_pool():
    """An address that a rename put there is no old identity, even in a pool whose users signed in by e-mail."""
    naming = Naming(KINDS["email"], KINDS["email"])
    with pytest.raises(UserError, match="not verified"):
        naming.username(ada(KINDS["email"], UNVERIFIED), {"email": "boss@example.com", "email_verified": "false"})


texts = st.sampled_from(["ada", "boss", "a@x.example", "b@x.example", "+311", "+312"])
flags = st.sampled_from(["true", "false"])
people = st.fixed_dictionaries(
    {},
    optional={
        "email": texts,
        "email_verified": flags,
        "phone_number": texts,
        "phone_number_verified": flags,
        "preferred_username": texts,
        "nickname": texts,
    },
)
renames = st.dictionaries(
    st.sampled_from(["email", "phone_number", "preferred_username", "nickname"]),
    st.sampled_from(["email", "phone_number", "preferred_username"]),
    max_size=2,
)
origins = st.just("auto") | st.sampled_from(get_args(UsernameFrom))
puts = st.dictionaries(st.sampled_from(["email", "phone_number", "preferred_username"]), texts, max_size=1)
pools = st.sampled_from([*KINDS.values(), PREFERRED, SignIn(alias_attributes=("email", "phone_number"))])


@settings(max_examples=500)
@given(people, texts, pools, pools, origins, renames, puts)
def test_nobody_gets_to_sign_in_with_what_was_neither_theirs_nor_proved(  # noqa: PLR0917
    old, own_name, source, target, origin, rename, put
):
    """Whatever pools, rules and user are, each sign-in identifier was the user's before, or is verified, or its sub."""
    user = ada(source, old, None if source.username_attributes else own_name)
    try:
        naming = Naming(source, target, origin)
        rules = AttributeRules(rename=rename, set=put)
        new = translate(user, rules, Schema(), None).attributes
        name = naming.username(user, new)
    except (SettingsError, UserError):
        return  # nobody is created, so nobody gains
    signed_in_with = set(identifiers(user.username, old, source))
    proved = {
        old[value] for value in ("email", "phone_number") if value in old and old.get(f"{value}_verified") == "true"
    }
    assert set(identifiers(name, new, target)) <= signed_in_with | proved | {user.username, user.sub}


@given(people, pools, pools, st.booleans())
def test_names_are_never_made_up(old, source, target, allow_unverified):
    """A name is the old name, the sub or a value of the user's own, whatever is allowed."""
    user = ada(source, old)
    try:
        name = name_of(user, source, target, allow_unverified=allow_unverified)
    except UserError:
        return  # nobody is created
    assert name in {user.username, user.sub, *old.values()}


# Aliases and names that Cognito refuses


def test_a_name_that_looks_like_an_alias_gives_way_to_the_sub():
    """In a pool with aliases the user is named by its sub, and the verified alias stands in for the old name."""
    assert name_of(ada(username=EMAIL), KINDS["plain"], KINDS["alias"]) == SUB
    phones = SignIn(alias_attributes=("phone_number",))
    assert name_of(ada(username=PHONE), KINDS["plain"], phones) == SUB
    assert name_of(ada(username=EMAIL), KINDS["plain"], phones) == EMAIL


@pytest.mark.parametrize("attributes", [{}, UNVERIFIED, {"email": "other@example.com", "email_verified": "true"}])
def test_who_would_lose_its_address_as_sign_in_name_is_not_created_silently(attributes):
    """If no verified alias can stand in for the name, the user is refused with a remedy, which then works."""
    user = ada(attributes=attributes, username=EMAIL)
    with pytest.raises(UserError, match=r"users\.username_from: sub"):
        name_of(user, KINDS["plain"], KINDS["alias"])
    assert name_of(user, KINDS["plain"], KINDS["alias"], username_from="sub") == SUB


def test_an_alias_of_another_case_stands_in_where_case_does_not_matter():
    """The verified address may be written otherwise than the name if the target does not tell them apart."""
    user = ada(attributes={"email": EMAIL.upper(), "email_verified": "true"}, username=EMAIL)
    assert name_of(user, KINDS["plain"], SignIn(alias_attributes=("email",), case_sensitive=False)) == SUB
    with pytest.raises(UserError, match="verified alias"):
        name_of(user, KINDS["plain"], KINDS["alias"])


@pytest.mark.parametrize(("origin", "decided"), [("username", None), ("email", None), ("auto", EMAIL)])
def test_a_name_that_the_target_takes_for_an_alias_is_refused_in_the_plan(origin, decided):
    """A configured or decided name that looks like an alias is refused before Cognito would refuse it."""
    with pytest.raises(UserError, match="alias"):
        name_of(ada(username=EMAIL), KINDS["plain"], KINDS["alias"], decided, username_from=origin)


@pytest.mark.parametrize("name", ["ada lovelace", "a" * 129, "ada\tlovelace", "ada\u200b", "ada\n"])
def test_a_name_that_cognito_refuses_is_refused_with_a_remedy(name):
    """Spaces, control characters and more than 128 characters need another name, by decision."""
    with pytest.raises(UserError, match="collisions file"):
        name_of(ada(username=name), KINDS["plain"], KINDS["plain"])
    assert name_of(ada(username=name), KINDS["plain"], KINDS["plain"], "ada") == "ada"


@pytest.mark.parametrize("name", ["a" * 128, "ada", "Åda", "a+b.c_d-e/f=g@example.com", "阿達", "ada☂"])
def test_a_name_that_cognito_takes_is_kept(name):
    """Up to 128 letters, symbols, numbers and punctuation of any script are fine."""
    assert name_of(ada(username=name), KINDS["plain"], KINDS["plain"]) == name


def test_a_decided_name_is_the_name():
    """What a person decided goes before any configured origin, but not before what Cognito takes."""
    assert name_of(ada(), KINDS["plain"], KINDS["plain"], "ada2") == "ada2"
    assert name_of(ada(), KINDS["plain"], KINDS["plain"], "ada2", username_from="email") == "ada2"
    with pytest.raises(UserError, match="128 characters"):
        name_of(ada(), KINDS["plain"], KINDS["plain"], "a" * 129)


def test_a_decided_name_cannot_be_somebody_elses_address():
    """Where an attribute is the name, only the user's own value can be decided on, and only if it may identify."""
    assert name_of(ada(), KINDS["plain"], KINDS["email"], EMAIL) == EMAIL
    with pytest.raises(UserError, match="not this user's e-mail address"):
        name_of(ada(), KINDS["plain"], KINDS["email"], "boss@example.com")
    with pytest.raises(UserError, match="not verified"):
        name_of(ada(attributes=UNVERIFIED), KINDS["plain"], KINDS["email"], EMAIL)


@pytest.mark.parametrize(
    ("source", "target", "origin", "words"),
    [
        ("plain", "plain", "auto", "as it is"),
        ("plain", "plain", "sub", "from sub, as configured"),
        ("plain", "both", "auto", "from the e-mail address or phone number"),
        ("email", "plain", "auto", "from the e-mail address"),
        ("email", "alias", "auto", "the old sub, with the old sign-in name as alias"),
        ("plain", "alias", "auto", "as it is; the old sub where the name looks like an alias"),
    ],
)
def test_where_names_come_from_is_said_in_words(source, target, origin, words):
    """The plan can tell a person where user names in the target come from."""
    assert str(Naming(KINDS[source], KINDS[target], origin)) == words

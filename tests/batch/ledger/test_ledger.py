"""Publishing: who is known or held, and whose an identifier is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledgers import introduce, lock_of, new_table, raw

from batch.ledger.erasure import erase
from batch.ledger.ledger import BatchLedger
from userpool.ledger_table import MOST_WRITES, LedgerTable
from userpool.person import FORGOTTEN, UNCONFIRMED, Person, PersonState


def person(sub: str, *locks: str, state: PersonState = PersonState.KNOWN, **more) -> Person:
    return Person(sub, state, username=f"user {sub}", locks=frozenset(locks), **more)


def held(sub: str, *locks: str, reason: str = "collision") -> Person:
    return person(sub, *locks, state=PersonState.HELD, reason=reason)


class Interrupted(LedgerTable):
    """A table that calls `happens` before the write that comes after `after` others."""

    after = -1

    def happens(self) -> None:
        """Be replaced by a test."""

    def write(self, write):
        """Carry it out, after what happens before."""
        self._count()
        return super().write(write)

    def write_all(self, writes):
        """The same."""
        self._count()
        return super().write_all(writes)

    def _count(self):
        self.after -= 1
        if self.after == -1:
            self.happens()


@pytest.fixture
def interrupted():
    """A ledger whose writes may be overtaken, and its table."""
    table = new_table(Interrupted)
    return BatchLedger(table), table


def test_who_is_known_owns_their_identifiers(ledger, ledger_table):
    """A known person owns each of their identifiers firmly."""
    ada = person("ada", "a", "a@", owed=frozenset({"staff"}), name="ada")
    assert ledger.publish([ada]) == []
    assert ledger.person("ada") == ada
    assert [ledger.owner(lock) for lock in ("a", "a@", "b")] == ["ada", "ada", None]
    assert lock_of(ledger_table, "a@") == ("ada", True)


def test_nobody_is_published(ledger):
    """To publish nobody is no call, and no error."""
    assert ledger.publish([]) == []


@pytest.mark.parametrize("together", [True, False])
def test_two_persons_never_own_one_identifier(ledger, ledger_table, together):
    """Of two known persons with one identifier the first owns it, and nothing of the other's is written."""
    ada, bob = person("ada", "a", "shared"), person("bob", "b", "shared")
    told = ledger.publish([ada, bob]) if together else [*ledger.publish([ada]), *ledger.publish([bob])]
    assert told == ["bob"]
    assert ledger.owner("shared") == "ada"
    assert ledger.person("bob") is None
    assert lock_of(ledger_table, "b") is None


def test_only_those_in_conflict_are_told(ledger):
    """One conflict among many leaves the others published."""
    introduce(ledger, person("ada", "shared"))
    many = [person(f"p{number}", f"l{number}") for number in range(20)]
    assert ledger.publish([*many[:10], person("bob", "shared"), *many[10:]]) == ["bob"]
    assert [ledger.owner(f"l{number}") for number in range(20)] == [each.sub for each in many]


def test_a_conflict_leaves_whoever_was_published_before(ledger, ledger_table):
    """Who is published with an identifier of somebody else's stays as they were, with what they owned."""
    introduce(ledger, person("ada", "shared"), person("bob", "b"))
    assert ledger.publish([person("bob", "b2", "shared")]) == ["bob"]
    assert ledger.person("bob") == person("bob", "b")
    assert [lock_of(ledger_table, lock) for lock in ("b", "b2")] == [("bob", True), None]


def test_who_is_held_keeps_others_from_signing_up(ledger, ledger_table):
    """A held person's identifiers are marked as theirs, though not firmly."""
    assert ledger.publish([held("ada", "a")]) == []
    assert ledger.person("ada") == held("ada", "a")
    assert lock_of(ledger_table, "a") == ("ada", False)


@pytest.mark.parametrize("firm", [True, False])
def test_who_is_held_takes_nothing(ledger, ledger_table, firm):
    """A held person takes no identifier from anybody, held or known; all the same they are held."""
    introduce(ledger, person("ada", "shared") if firm else held("ada", "shared"))
    assert ledger.publish([held("bob", "b", "shared")]) == []
    assert lock_of(ledger_table, "shared") == ("ada", firm)
    assert lock_of(ledger_table, "b") == ("bob", False)
    assert ledger.person("bob").state is PersonState.HELD


def test_who_is_known_takes_over_from_who_is_held(ledger, ledger_table):
    """A collision that a person has decided gives the identifier to the one who is known."""
    introduce(ledger, held("ada", "shared"), held("bob", "shared"))
    assert ledger.publish([person("bob", "shared")]) == []
    assert lock_of(ledger_table, "shared") == ("bob", True)
    assert ledger.publish([held("ada", "shared")]) == []
    assert lock_of(ledger_table, "shared") == ("bob", True)


def test_who_becomes_held_holds_no_longer_firmly(ledger, ledger_table):
    """A known person who is held from now on may lose an identifier to whoever is known."""
    introduce(ledger, person("ada", "a", "shared"))
    assert ledger.publish([held("ada", "a", "shared")]) == []
    assert lock_of(ledger_table, "a") == ("ada", False)
    assert ledger.publish([person("bob", "shared")]) == []
    assert lock_of(ledger_table, "shared") == ("bob", True)


@pytest.mark.parametrize("state", [PersonState.KNOWN, PersonState.HELD])
def test_an_identifier_that_somebody_has_no_longer_is_free(ledger, ledger_table, state):
    """Publishing somebody anew frees what they do not sign in with any more."""
    introduce(ledger, person("ada", "old", "kept"))
    assert ledger.publish([person("ada", "kept", "new", state=state)]) == []
    assert lock_of(ledger_table, "old") is None
    assert {lock_of(ledger_table, lock) for lock in ("kept", "new")} == {("ada", state is PersonState.KNOWN)}


@pytest.mark.parametrize("state", [PersonState.KNOWN, PersonState.HELD])
def test_what_is_another_persons_by_now_stays_theirs(ledger, ledger_table, state):
    """Who loses a collision and has another name now is published; the disputed one stays the other's."""
    introduce(ledger, held("ada", "shared"), person("bob", "shared"))
    assert ledger.publish([person("ada", "new", state=state)]) == []
    assert ledger.person("ada") == person("ada", "new", state=state)
    assert lock_of(ledger_table, "shared") == ("bob", True)
    assert lock_of(ledger_table, "new") == ("ada", state is PersonState.KNOWN)


@pytest.mark.parametrize("new_state", [PersonState.KNOWN, PersonState.HELD])
@pytest.mark.parametrize(
    "state", sorted(set(PersonState) - {PersonState.KNOWN, PersonState.HELD, PersonState.DEFERRED})
)
def test_who_is_under_way_is_left_alone(ledger, ledger_table, state, new_state):
    """Publishing changes nothing about whoever is past `known`, nor about what they own."""
    there = person("ada", "a", state=state, token="t", until=5.0, new_sub="n")
    introduce(ledger, there)
    assert ledger.publish([person("ada", "b", state=new_state)]) == []
    assert ledger.person("ada") == there
    assert [lock_of(ledger_table, lock) for lock in ("a", "b")] == [("ada", True), None]


@pytest.mark.parametrize("calls", [0, 1])
@pytest.mark.parametrize("state", [PersonState.HELD, PersonState.KNOWN])
def test_who_was_forgotten_is_left_alone(interrupted, calls, state):
    """A tombstone is not published over, nor its names locked, also if it becomes one in that very moment."""
    ledger, table = interrupted
    introduce(ledger, held("1", "a"))
    stone = Person("1", PersonState.HELD, reason=FORGOTTEN)
    table.after = calls
    table.happens = lambda: erase(ledger, "1", now=1.0)
    assert ledger.publish([person("1", "a", state=state)]) == []
    assert ledger.person("1") == stone
    assert ledger.owner("a") is None


@pytest.mark.parametrize("calls", range(4))
@pytest.mark.parametrize("new_state", [PersonState.KNOWN, PersonState.HELD])
def test_who_goes_further_meanwhile_keeps_what_they_own(interrupted, new_state, calls):
    """Somebody who signs in in the midst of being published keeps their identifiers firmly, or is not migrating."""
    ledger, table = interrupted
    introduce(ledger, person("ada", "a", "old"))
    table.after = calls
    table.happens = lambda: ledger.migrate("ada", frozenset(), 7.0)
    assert ledger.publish([person("ada", "a", "new", state=new_state)]) == []
    there = ledger.person("ada")
    if there.state is not PersonState.HELD:
        assert {lock_of(table, lock) for lock in there.locks} == {("ada", True)}


@pytest.mark.parametrize("calls", range(5))
def test_a_lock_taken_meanwhile_costs_nobody_anything(interrupted, calls):
    """Whoever takes a disputed identifier while its old holder is published keeps it."""
    ledger, table = interrupted
    introduce(ledger, held("ada", "shared", "x"))
    table.after = calls
    table.happens = lambda: ledger.publish([person("bob", "shared")])
    ledger.publish([held("ada", "y")])
    assert ledger.publish([person("bob", "shared")]) == []
    assert lock_of(table, "shared") == ("bob", True)
    assert ledger.person("ada") == held("ada", "y")
    assert lock_of(table, "y") == ("ada", False)


def test_publishing_may_be_repeated(ledger, ledger_table):
    """Publishing the same persons again leaves everything as it was."""
    people = [person("ada", "a", "x"), held("bob", "b", "x"), person("eve", "e", state=PersonState.RESET, new_sub="n")]
    for _ in range(3):
        assert ledger.publish(people) == []
        assert [ledger.person(each.sub) for each in people] == people
        assert [lock_of(ledger_table, lock) for lock in "abex"] == [
            ("ada", True),
            ("bob", False),
            ("eve", True),
            ("ada", True),
        ]


@pytest.mark.parametrize("locks", [0, 1, 3, 4, 99])
def test_any_number_is_published(ledger, locks):
    """Twenty-five persons at once are published however many identifiers each has, in whatever script."""
    people = [person(f"sub-{number}", *(f"\N{CAT} é{number}-{lock}" for lock in range(locks))) for number in range(25)]
    if locks > 4:
        people = people[:2]
    assert (1 + locks) * len(people) > MOST_WRITES or locks < 4
    assert ledger.publish(people) == []
    assert [ledger.person(each.sub) for each in people] == people
    assert {ledger.owner(lock) for lock in people[-1].locks} <= {people[-1].sub}


def test_one_person_named_twice_is_published_as_named_last(ledger, ledger_table):
    """The same person twice in one call is no error: the last word counts."""
    assert ledger.publish([person("ada", "a"), person("ada", "b")]) == []
    assert ledger.person("ada") == person("ada", "b")
    assert [lock_of(ledger_table, lock) for lock in "ab"] == [None, ("ada", True)]


@pytest.mark.parametrize("state", PersonState)
def test_who_is_new_may_be_in_any_state(ledger, state):
    """Whoever was created without a ledger is published as they are."""
    ada = replace(person("ada", "a", state=state), new_sub="new-ada")
    assert ledger.publish([ada]) == []
    assert ledger.person("ada") == ada


def test_persons_are_read_page_by_page(ledger):
    """All persons are found, each once, over as many pages as there are; locks are nobody."""
    long = "x" * 30_000
    people = [person(f"sub-{number:02}", f"l{number}", reason=long) for number in range(80)]
    introduce(ledger, *people)
    pages = list(ledger.persons())
    assert len(pages) > 2
    assert sorted((each for page in pages for each in page), key=lambda each: each.sub) == people


def test_there_are_no_persons_in_an_empty_table(ledger):
    """An empty ledger has nobody."""
    assert [each for page in ledger.persons() for each in page] == []


def test_nothing_else_is_stored(ledger, ledger_table):
    """A person's item holds what is true of them, and nothing empty."""
    introduce(ledger, person("ada"))
    assert raw(ledger_table, "ada") == {"id": "person#ada", "state": "known", "username": "user ada"}


def test_under_a_name_that_is_held_for_another_reason_nobody_signs_up(ledger):
    """Whoever is held otherwise takes a name from who never confirmed their sign-up, and not the other way round."""
    careless, blocked = held("ada", "shared", reason=UNCONFIRMED), held("bob", "shared", reason="blocked")
    introduce(ledger, careless, blocked, careless)
    assert ledger.owner("shared") == "bob"

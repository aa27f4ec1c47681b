"""The campaign against pools: who is sent a code, who is not, and what somebody's first sign-in changes."""

from __future__ import annotations

import threading
from itertools import count

import pytest
from botocore.exceptions import ClientError
from resetting import RESET, Waiting
from triggering import NEW_PASSWORD, OLD_PASSWORD
from undoing import PowerCutError

from userpool.cohort import CohortRules
from userpool.person import CLOSED, PersonState


def test_a_code_lets_the_user_choose_a_password(tmp_path):
    """Who is sent a code is `reset`, gets in with the password chosen by it, and never again with the old one."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    assert waiting.send(limit=1).sent == 1
    (name,) = waiting.sent()
    assert waiting.states() == {PersonState.RESET: 1, PersonState.PENDING: 1}
    assert waiting.status(name) == "RESET_REQUIRED"
    assert not waiting.world.captures(name, OLD_PASSWORD)
    waiting.world.cognito.confirm_forgot_password(
        ClientId=waiting.world.app,
        Username=name,
        ConfirmationCode=waiting.world.user(name).code,
        Password=NEW_PASSWORD,
    )
    assert waiting.world.signs_in(name, NEW_PASSWORD)
    assert waiting.send().sent == 1
    assert set(waiting.sent().values()) == {1}


def test_more_than_a_page_waits_and_fifty_come_in_the_middle(tmp_path):
    """A user who is captured while codes go out is not touched, and nobody is sent two, however often it is killed."""
    waiting = Waiting(tmp_path)
    names = waiting.bring_many(510)  # a page has 500
    comers, captured, codes = iter(names), [], count()
    one_by_one = threading.Lock()  # codes go out on several threads

    def one_comes(attempt, _params):
        answer = attempt()
        with one_by_one:
            if next(codes) % 4 == 0 and len(captured) < 50:
                captured.append(next(name for name in comers if waiting.is_captured(name)))
        return answer

    waiting.watched.acts[RESET] = one_comes
    for after in (75, 350, 550):
        last = len(waiting.watched.calls) + after

        def cut(attempt, params, *, at=last):
            if len(waiting.watched.calls) > at:
                raise PowerCutError
            return one_comes(attempt, params)

        waiting.watched.acts[RESET] = cut
        with pytest.raises(PowerCutError):
            waiting.send()
    waiting.watched.acts[RESET] = one_comes
    waiting.send()
    sent = waiting.sent()
    assert len(captured) == 50
    assert set(sent.values()) == {1}
    assert not sent.keys() & set(captured)
    assert {waiting.status(name) for name in captured} == {"CONFIRMED"}
    doubtful = {name for name, state in waiting.kept().items() if state == "doubtful"}
    assert sent.keys() | set(captured) | doubtful == set(names)
    assert waiting.states() == {PersonState.RESET: 510 - len(captured), PersonState.CAPTURED: len(captured)}


def test_a_budget_is_a_day_s(tmp_path):
    """So many messages go out a day (UTC) and channel, over all runs of that day; the next day has its own."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd", "dan", "eve")
    assert (waiting.send(2).sent, waiting.send(3).sent, waiting.send(3).over) == (2, 1, True)
    waiting.world.local.world.clock.advance(86_400)
    assert waiting.send(3).sent == 2
    assert waiting.send(3).over is False


def test_phones_are_written_to_first_where_the_pool_says_so(tmp_path):
    """A code goes where Cognito would send it, the phone first by default, and costs that channel's budget."""
    waiting = Waiting(tmp_path)
    both = {
        "email": "ada@x.com",
        "email_verified": "true",
        "phone_number": "+15550100",
        "phone_number_verified": "true",
    }
    waiting.bring("ada", **both)
    assert waiting.send(5).over is True
    assert waiting.sent() == {}
    assert waiting.send(0, sms=1).sent == 1


def test_who_has_nothing_verified_goes_to_the_help_desk(tmp_path):
    """Nobody is made RESET_REQUIRED whom no code could reach: they are on the list with what is known of them."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", name="Ada")
    waiting.bring("bob")
    assert waiting.send().sent == 1
    waiting.export()
    assert waiting.help_desk().keys() == {"ada"}
    assert waiting.persons()["ada"].state is PersonState.PENDING


def test_who_is_disabled_or_gone_is_left(tmp_path):
    """Who was disabled or deleted in the new pool is sent nothing, and stays as they are."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd")
    waiting.in_pool("admin_disable_user", Username="ada")
    waiting.in_pool("admin_delete_user", Username="bob")
    summary = waiting.send()
    assert summary.sent == 1
    assert sum(summary.left.values()) == 2
    assert waiting.sent() == {"cyd": 1}
    assert waiting.states() == {PersonState.PENDING: 2, PersonState.RESET: 1}


def test_closing_takes_the_old_password_and_says_nothing(tmp_path):
    """Who still waits is let go, a few or all, without a message; who was captured is not; forgot-password is open."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd")
    assert waiting.world.captures("bob", OLD_PASSWORD)
    assert waiting.close(limit=1).let_go == 1
    assert waiting.close().let_go == 1
    assert waiting.states() == {PersonState.RESET: 2, PersonState.CAPTURED: 1}
    assert waiting.persons()["ada"].reason == CLOSED
    assert waiting.sent() == {}
    assert not waiting.world.captures("ada", OLD_PASSWORD)
    waiting.world.forget("ada")
    assert waiting.world.signs_in("ada", NEW_PASSWORD)


def cut_off(waiting, name):
    """Let a capture set somebody's old password, and end before it could say so."""
    person, now = waiting.persons()[name], waiting.now()
    waiting.world.ledger.begin_capture(person.sub, person.new_sub, "token", now=now, until=now + 20)
    waiting.in_pool("admin_set_user_password", Username=name, Password=OLD_PASSWORD, Permanent=True)
    waiting.world.local.world.clock.advance(60)


def test_a_capture_that_was_cut_off_opens_nothing_after_closing(tmp_path):
    """Whose old password a capture set before it was cut off gets no token by it once closed, until they choose one."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    cut_off(waiting, "ada")
    assert waiting.close().let_go == 1
    with pytest.raises(ClientError, match="UserLambdaValidation"):
        waiting.world.signs_in("ada", OLD_PASSWORD)
    waiting.world.forget("ada")
    assert waiting.world.signs_in("ada", NEW_PASSWORD)


def test_a_password_chosen_after_a_capture_that_was_cut_off_opens(tmp_path):
    """Who chooses a password once a capture's time is up signs in by it at once: it came last, and stands."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    cut_off(waiting, "ada")
    waiting.world.forget("ada")
    assert waiting.world.signs_in("ada", NEW_PASSWORD)


def test_who_signs_in_for_the_first_time_just_now_is_for_a_rerun(tmp_path):
    """Who is in the middle of a first sign-in is not touched, and counts if the command is about them."""
    waiting = Waiting(tmp_path)
    waiting.people(1, "staff")
    waiting.bring("ada", "bob")
    ada, bob = (waiting.persons()[name] for name in ("ada", "bob"))

    def begins(person):
        now = waiting.now()
        return waiting.world.ledger.begin_capture(person.sub, person.new_sub, "token", now=now, until=now + 20).done

    assert begins(ada)
    assert waiting.close(CohortRules(groups=("staff",))).is_unfinished is False

    def meanwhile(attempt, params):
        if ":reset" in params.get("ExpressionAttributeValues", {}):
            waiting.tables.acts.clear()
            begins(bob)
        return attempt()

    waiting.tables.acts["update_item"] = meanwhile
    summary = waiting.close()
    assert (summary.let_go, summary.capturing, summary.is_unfinished) == (0, 2, True)
    assert waiting.states() == {PersonState.CAPTURING: 2, PersonState.RESET: 1}


def test_a_cohort_and_its_days(tmp_path):
    """The list has who still waits, of these groups, so many a day; a day once given stays, and codes keep to it."""
    waiting = Waiting(tmp_path)
    waiting.people(3, "staff")
    waiting.bring("zoë")
    today = waiting.today()
    waiting.export(CohortRules(groups=("staff",)), first=today, per_day=2)
    days = {name: row["day"] for name, row in waiting.mailing().items()}
    assert sorted(days) == ["user000", "user001", "user002"]
    assert sorted(days.values()) == [str(today), str(today), str(waiting.today(1))]
    waiting.export(first=today, per_day=2)
    again = {name: row["day"] for name, row in waiting.mailing().items()}
    assert days.items() <= again.items()
    assert again["zoë"] == str(waiting.today(1))
    assert waiting.send().sent == 2

"""Codes that cannot be sent: whose fault it is, who is tried again, and what a kill at any call leaves behind."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ReadTimeoutError
from resetting import RESET, Waiting

from batch.campaign.end_capture import Overtaken, overtaken
from batch.campaign.send_code import Blame, Sender, blame
from batch.runtime.stopping import StoppedError
from userpool.answers.wording import sentences
from userpool.errors import FatalError, UserError
from userpool.ledger import Turn
from userpool.person import Person, PersonState

NOBODY_CAN = ("LimitExceededException", "Exceeded daily email limit for the operation or the account.")
BROKEN = ("CodeDeliveryFailureException", "Unable to deliver message. Email address is not verified.")


@pytest.mark.parametrize(
    ("code", "message", "whose"),
    [
        ("LimitExceededException", "Attempt limit exceeded, please try after some time.", Blame.PERSON),
        (*NOBODY_CAN, Blame.EVERYBODY),
        ("InvalidParameterException", "Cannot reset password: no registered/verified email", Blame.PERSON),
        ("InvalidParameterException", "Email address is not verified.", Blame.UNSURE),
        ("NotAuthorizedException", "User password cannot be reset in the current state.", Blame.PERSON),
        ("UserNotFoundException", "User does not exist.", Blame.PERSON),
        ("InvalidSmsRoleAccessPolicyException", "", Blame.EVERYBODY),
        (*BROKEN, Blame.UNSURE),
        ("UserLambdaValidationException", "CustomMessage failed", Blame.UNSURE),
        ("UnexpectedLambdaException", "", Blame.UNSURE),
        ("", "a value is not acceptable", Blame.UNSURE),
    ],
)
def test_a_refusal_is_the_person_s_own_only_where_that_is_sure(code, message, whose):
    """What may be the sender's, or a function's, is never held against the person."""
    assert blame(UserError(message, code, said=sentences(code, message))) is whose


def test_a_sender_is_broken_after_three_in_a_row():
    """A code that was sent in between shows that it works; what surely concerns everybody ends it at once."""
    sender = Sender()
    for _ in range(3):
        sender.fails("again")
        sender.fails("again")
        sender.works()
    assert sender.broken is None
    for reason in ("first", "second", "third"):
        sender.fails(reason)
    assert sender.broken == "third"
    other = Sender()
    other.fails("no role", surely=True)
    assert other.broken == "no role"


@pytest.mark.parametrize(
    ("before", "said", "signing_in"),
    [
        (None, "is not in the ledger any more", False),
        (Person("1", PersonState.PENDING, new_sub="other"), "is another user of the new pool by the ledger now", False),
        (Person("1", PersonState.CAPTURED, new_sub="new"), "is captured in the ledger by now", False),
        (Person("1", PersonState.CAPTURING, new_sub="new"), "is capturing in the ledger by now", True),
    ],
)
def test_why_the_ledger_did_not_let_go(before, said, signing_in):
    """Who cannot be let go is left for the real reason; only a first sign-in that is under way is worth a rerun."""
    assert overtaken("1", "new", Turn(done=False, before=before)) == Overtaken("1", said, signing_in=signing_in)


@pytest.mark.parametrize(("refusal", "touched"), [(NOBODY_CAN, 1), (BROKEN, 3)])
def test_a_broken_sender_ends_the_run_and_burns_nobody(tmp_path, refusal, touched):
    """Whom a broken sender could send nothing are few, are listed, and are sent a code once it is mended."""
    waiting = Waiting(tmp_path)
    waiting.bring(*[f"user{number}" for number in range(6)])
    waiting.refuse(*refusal)
    summary = waiting.send(workers=1)
    assert (summary.sent, summary.refused, summary.held, len(summary.why)) == (0, 0, touched, touched)
    assert refusal[0] in summary.ended
    assert list(waiting.kept().values()) == ["waiting"] * touched
    waiting.mend()
    assert waiting.send().sent == 6
    assert set(waiting.sent().values()) == {1}


def test_a_limit_counts_persons_whether_they_got_one_or_not(tmp_path):
    """`--limit` lets go of no more persons than it says, also where each is refused, which costs the day nothing."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd", "dan")
    waiting.refuse(*BROKEN)
    summary = waiting.send(2, limit=2, workers=1)
    assert (summary.held, summary.over, summary.ended) == (2, True, None)
    assert waiting.states() == {PersonState.RESET: 2, PersonState.PENDING: 2}
    waiting.mend()
    assert waiting.send(2).sent == 2


def test_a_limit_holds_after_a_kill(tmp_path):
    """What a run that died had taken for somebody does not let the next one send more than it was told."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd")
    waiting.die_before_letting_go()
    assert waiting.send(limit=1, workers=1).sent == 1


@pytest.mark.parametrize("code", ["InvalidLambdaResponseException", "InvalidSmsRoleAccessPolicyException"])
def test_one_person_keeps_nobody_waiting(tmp_path, code):
    """Who is refused in every run comes last from then on, and the others get theirs."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd", "dan")
    first = min(waiting.persons().values(), key=lambda one: one.sub).username
    waiting.refuse(code, "no", first)
    waiting.send(workers=1)
    waiting.send(workers=1)
    assert waiting.sent().keys() == {"ada", "bob", "cyd", "dan"} - {first}
    assert waiting.kept()[first] == "waiting"


def test_who_was_tried_longest_ago_comes_first_among_those_who_wait(tmp_path):
    """Those who are refused in every run take turns, so that an end after three leaves nobody out for ever."""
    waiting = Waiting(tmp_path)
    waiting.bring(*[f"user{number}" for number in range(6)])
    waiting.refuse(*BROKEN)
    tried = []
    for _ in range(4):
        waiting.world.local.world.clock.advance(60)
        tried.append(set(waiting.send(workers=1).why))
    assert [len(some) for some in tried] == [3] * 4
    assert len(tried[0] | tried[1]) == len(tried[2] | tried[3]) == 6


def test_one_s_own_refusal_is_one_s_own(tmp_path):
    """A user whom Cognito refuses a code is named, and the next ones get theirs."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd", "dan", "eve")
    waiting.refuse(
        "LimitExceededException", "Attempt limit exceeded, please try after some time.", "ada", "bob", "cyd", "dan"
    )
    summary = waiting.send()
    assert (summary.sent, summary.refused, set(summary.why)) == (1, 4, {"ada", "bob", "cyd", "dan"})
    waiting.mend()
    assert waiting.send().sent == 0


def test_a_lost_answer_is_settled_by_the_status(tmp_path):
    """A code whose answer was lost counts as sent where the user is RESET_REQUIRED, and as doubtful where not."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    lost = iter([True, False])

    def losing(attempt, _params):
        if next(lost):
            attempt()
        raise ReadTimeoutError(endpoint_url="here")

    waiting.watched.acts[RESET] = losing
    summary = waiting.send(workers=1)
    assert (summary.sent, summary.doubtful) == (1, 1)
    waiting.mend()
    assert waiting.send().sent == 0


def test_silence_ends_the_run_as_well(tmp_path):
    """Where nobody answers three times in a row no more persons are put in doubt."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd", "dan", "eve")

    def losing(_attempt, _params):
        raise ReadTimeoutError(endpoint_url="here")

    waiting.watched.acts[RESET] = losing
    summary = waiting.send(workers=1)
    assert (summary.doubtful, bool(summary.ended)) == (3, True)
    waiting.mend()
    assert waiting.send().sent == 2


def test_a_stop_ends_it_between_two(tmp_path):
    """Ctrl-C ends it; what was sent is on record, and the next run goes on."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd")
    stop = threading.Event()

    def stopping(attempt, _params):
        stop.set()
        return attempt()

    waiting.watched.acts[RESET] = stopping
    summary = waiting.send(workers=1, stop=stop)
    assert (summary.sent, summary.stopped) == (1, True)
    waiting.mend()
    assert waiting.send().sent == 2
    assert set(waiting.sent().values()) == {1}


def test_a_stop_is_no_fault_of_the_sender(tmp_path):
    """A call that is not made because of Ctrl-C leaves its person to the next run, and nobody is said to be refused."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob")
    stop = threading.Event()

    def stopping(_attempt, _params):
        stop.set()
        raise StoppedError("Stopped.")

    waiting.watched.acts[RESET] = stopping
    summary = waiting.send(workers=1, stop=stop)
    assert (summary.stopped, summary.held, summary.ended) == (True, 1, None)
    waiting.mend()
    assert waiting.send().sent == 2


# Killed


@pytest.mark.parametrize("carried_out", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("tried", [False, True], ids=["fresh", "tried before"])
def test_a_kill_at_any_call_sends_nobody_two(tmp_path, carried_out, tried):
    """Killed at whatever call, a rerun sends nobody a second code; who may have got none is named to the help desk."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada", "bob", "cyd")
    if tried:
        waiting.refuse(*BROKEN)
        waiting.send(workers=1)
        waiting.mend()
        assert set(waiting.kept().values()) == {"waiting"}
    after = 0
    while waiting.dies_while_sending(after, carried_out=carried_out):
        waiting.export()
        reached = waiting.sent().keys() | waiting.mailing().keys() | waiting.help_desk().keys()
        assert reached == {"ada", "bob", "cyd"}
        after += 1
    waiting.export()
    sent = waiting.sent()
    assert set(sent.values()) == {1}
    assert sent.keys() | waiting.help_desk().keys() == {"ada", "bob", "cyd"}
    assert after > 5
    assert waiting.states() == {PersonState.RESET: 3}


def test_who_never_got_the_call_is_sent_one(tmp_path):
    """A run that died before the ledger let go of somebody leaves them to the next, within the same day's budget."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    waiting.die_before_letting_go()
    assert waiting.kept() == {"ada": "sending"}
    assert waiting.send(1).sent == 1
    assert waiting.sent() == {"ada": 1}


@pytest.mark.parametrize("deaths", [1, 2])
def test_who_was_to_be_tried_again_is_not_lost(tmp_path, deaths):
    """A run that died before the ledger heard of the next try leaves its person to the next run, and in the lists."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    waiting.refuse(*NOBODY_CAN)
    waiting.send()
    waiting.mend()
    for _ in range(deaths):
        waiting.world.local.world.clock.advance(60)
        waiting.die_before_letting_go()
    assert waiting.kept() == {"ada": "sending"}
    waiting.export()
    assert waiting.mailing().keys() == {"ada"}
    assert waiting.send(1).sent == 1
    assert waiting.sent() == {"ada": 1}


def test_who_cannot_be_tried_just_now_still_waits(tmp_path):
    """Who was let go, lost by a kill, and then found disabled, is sent a code once they are enabled again."""
    waiting = Waiting(tmp_path)
    waiting.bring("ada")
    waiting.refuse(*NOBODY_CAN)
    waiting.send()
    waiting.mend()
    waiting.world.local.world.clock.advance(60)
    waiting.die_before_letting_go()
    found = waiting.world.user("ada")
    found.enabled = False
    assert sum(waiting.send().left.values()) == 1
    assert waiting.kept() == {"ada": "waiting"}
    found.enabled = True
    assert waiting.send().sent == 1


def test_a_refusal_of_everybody_ends_the_campaign_and_marks_nobody(tmp_path):
    """25 persons in a row who are refused for a reason of their own have none: a later run sends to all of them."""
    waiting = Waiting(tmp_path)
    waiting.bring_many(40)
    waiting.refuse("NotAuthorizedException", "The pool does not send anything today.")
    with pytest.raises(FatalError, match="concerns everybody"):
        waiting.send(workers=2)
    assert "refused" not in waiting.kept().values()
    assert waiting.watched.count("AdminResetUserPassword") < 40
    waiting.mend()
    assert waiting.send().sent == 40

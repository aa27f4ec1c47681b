"""`check --live` at a terminal: what it will do and may cost, the question, the answers, the pools that are left."""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import click

from batch.check.finding import Finding
from batch.check.live.results import Outcome, as_values, conclusion, cost, findings, not_tested, probed
from batch.check.live.throw_away_pools import TAG, LeftOver, Making, making
from batch.cli.terminal import Exit, say, tell
from batch.runtime.own_lines import OWN_LINES
from batch.runtime.stopping import StoppedError, stop_on_signals
from batch.settings.config import Config
from userpool.by_hand import pool_line
from userpool.client import caller_arn
from userpool.errors import FatalError, NotAllowedError, SettingsError
from userpool.plural import plural

InLines = Callable[[list[Finding], str], list[str]]
"""Lays out findings and a last sentence as lines."""

_STOPPING = b"\nStopping: the throw-away pools are deleted. Ctrl-C again leaves them.\n"
_ENDED = "\nEnded at once; in an hour `cognito-migrate check --live --clean-up` deletes the pools that are left.\n"
_CLEAN_UP = "cognito-migrate check --live --clean-up"


def check_live(config: Config, *, yes: bool, as_json: bool, in_lines: InLines) -> None:
    """Test Cognito in throw-away pools.

    Exits with code 3 if a pool is left, and 5 if a setting must change or is not known.
    """
    _require_somebody(yes=yes)
    # Random, so that the pools of two checks at the same time have different names.
    token = secrets.token_hex(4)
    for line in _announcement(config, token):
        tell(line)
    if not yes:
        click.confirm("Go on?", abort=True, err=True)
    outcome = _tested(config, token)
    found = [*findings(outcome), *not_tested()]
    say(lambda: as_values(outcome), lambda: in_lines(found, conclusion(outcome)), as_json=as_json)
    # A pool that is left costs nobody a sign-in, but it must not go unnoticed: its code goes before the others.
    if outcome.left:
        sys.exit(Exit.FATAL)
    if not outcome.is_well:
        sys.exit(Exit.DIFFERENT)


def _tested(config: Config, token: str) -> Outcome:
    with stop_on_signals(first=_STOPPING, second=OWN_LINES.typed(_ENDED).encode()) as stop:
        made = making(config, stop=stop, token=token)
        try:
            results = probed(made, stop.wait)
        except StoppedError:
            raise StoppedError("Stopped before the end; nothing was changed but in the throw-away pools.") from None
        # Also after Ctrl-C, a lost connection or a bug: the pools are deleted before anything else is told.
        finally:
            left = made.remove()
            for pool in left:
                tell(_to_delete_by_hand(pool, config))
    return Outcome(results, tuple(left))


def delete_left_over(config: Config, *, yes: bool, as_json: bool) -> None:
    """Delete the throw-away pools that an earlier check left over. Raises FatalError if one cannot be deleted."""
    # Without a token: nothing is made here, only found and deleted.
    made = making(config, stop=threading.Event(), token="")
    found = made.left_over()
    if found:
        _require_somebody(yes=yes)
        for pool in found:
            tell(f"{pool.name} ({pool.pool_id})")
        if not yes:
            click.confirm(f"Delete {_pools(len(found))}?", abort=True, err=True)
    left = [undeleted for pool in found if (undeleted := made.delete(pool))]
    deleted = sorted({pool.pool_id for pool in found} - {pool.pool_id for pool in left})
    said = f"Deleted {_pools(len(deleted))} of earlier checks, of those that are over an hour old."
    say(lambda: {"deleted": deleted, "not_deleted": [asdict(pool) for pool in left]}, lambda: [said], as_json=as_json)
    if left:
        raise FatalError(" ".join(_to_delete_by_hand(pool, config) for pool in left))


def _require_somebody(*, yes: bool) -> None:
    if not (yes or sys.stdin.isatty()):
        raise SettingsError("Nobody is there to confirm: pass --yes.")


def _announcement(config: Config, token: str) -> Iterator[str]:
    # Makes no pool. It only knows the names that the pools will have.
    made = making(config, stop=threading.Event(), token=token)
    who = caller_arn(config.target)
    (tag,) = (f"{name}={value}" for name, value in TAG.items())
    yield f"In {config.target.region_name}{f', as {who}' if who else ''}:"
    yield f"- makes two user pools ({made.name('…')}, tagged {tag}) with an app client each,"
    yield "  and in them a group and a few made-up users, with some 80 calls that are paced as a run's are;"
    yield "- changes no other pool, sends no mail and no SMS, makes no Lambda function;"
    yield "- deletes both pools at the end, also after Ctrl-C."
    yield f"Cost: {cost(config.prices)}"
    yield from _of_left_over(made)


def _of_left_over(made: Making) -> Iterator[str]:
    try:
        found = made.left_over()
    # Listing pools is a right that the check itself can do without.
    except NotAllowedError as error:
        yield f"Whether an earlier check has left pools cannot be told. {error}"
        return
    for pool in found:
        yield f"Left by an earlier check: {pool.name} ({pool.pool_id}). To delete it: {_CLEAN_UP}"


def _to_delete_by_hand(pool: LeftOver, config: Config) -> str:
    if not pool.pool_id:
        return f"{pool.name} may be there: {pool.why}. In an hour: {_CLEAN_UP}"
    command = pool_line(replace(config.target, user_pool_id=pool.pool_id), "delete-user-pool")
    return f"{pool.name} is not deleted: {pool.why} To delete it: {command}"


def _pools(number: int) -> str:
    return plural(number, "user pool")

"""Which command is refused in which stage of a migration: one table, decided once. Every command asks it first.

A command is refused where it would break what an earlier command promised, or where it lacks what it works on. An
inventory is in several stages at a time. The first stage that refuses a command says why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from batch.inventory import meta_keys
from batch.inventory.inventory import Inventory
from batch.inventory.milestones import Cutover, End
from userpool.errors import SettingsError


class Phase(StrEnum):
    """A fact about a migration that decides which commands are refused. The order is that in which they are asked."""

    MISSING = "there is no inventory"
    HELD = "another command has the inventory"
    PURGED = "personal data is deleted, or its deletion has begun"
    FINISHED = "the migration is finished"
    REBUILDING = "a rebuild was cut short"
    UNREAD = "the scan was cut short"
    UNMADE = "nobody is in the new pool by this migration"
    KNOWN = "the inventory knows what was done"
    CUT_OVER = "the cut-over is recorded"
    BEFORE_CUTOVER = "no cut-over is recorded"
    BEFORE_END = "the migration is not finished"


class Refusal(NamedTuple):
    """Why a command is refused, what to do instead, and the exit code.

    `{at}` is when the cut-over was, `{users}` how many users of this migration are in the new pool, `{action}` the
    command. The command to run, if there is one, stands on a line by itself.
    """

    why: str
    remedy: str
    code: int = 2


ACTIONS = (
    *("check", "prepare", "scan", "scan --rebuild", "plan", "run", "sync", "verify", "status", "report", "explain"),
    *("export map", "export", "trigger test", "trigger attach", "trigger detach", "undo", "undo --dry-run"),
    *("cutover", "cutover --undo", "reset", "reset --close-by", "reset --send-codes", "close", "init --reverse"),
    *("finish", "finish --reopen", "finish --purge", "forget", "recover"),
)
"""The rows of the table. `export map` stands for all exports that have no names, `export` for the others.

`prepare`, `trigger attach` and `trigger detach` are what changes the new pool. Their dry runs are never refused.
"""

_ASK_NO_INVENTORY = {"check", "prepare", "trigger test", "trigger attach", "trigger detach", "close"}
_BEGIN_ONE = {"scan", "scan --rebuild", "sync"}
_ONLY_READ = {"status", "report", "explain", "export map", "export", "undo --dry-run", "init --reverse"}
_NEED_A_SCAN = {"plan", "run", "verify", "cutover", "finish", "undo", "undo --dry-run", "recover"}
_RESETS = {"reset", "reset --close-by", "reset --send-codes"}
_UNDOS = {"undo", "undo --dry-run"}
_MIGRATES = {
    *("scan", "scan --rebuild", "run", "sync", "prepare", "trigger attach", "cutover", "cutover --undo", "recover"),
}
_KEPT_AFTER_A_PURGE = {"status", "report", "export map", "finish", "finish --purge", "explain"} | (
    _ASK_NO_INVENTORY - {"prepare", "trigger attach"}
)

NOTHING_CHANGED = "Nothing was changed."
_NOBODY = Refusal(
    "`{action}` is for users that this migration created, and nobody is in the new pool yet.",
    "Create them first:\n  cognito-migrate run",
)
_PURGED = Refusal(
    "`{action}` is refused: the personal data of this migration was deleted (`finish --purge`), which is for good.",
    "What is left is the map of old and new subs. Who has no password chooses one by forgot-password.\n"
    "  cognito-migrate export map",
)
_FINISHED = Refusal(
    "The migration is finished: nobody is created, changed or captured any more, so `{action}` is refused.",
    "If that was too early, take the end back:\n  cognito-migrate finish --reopen",
)

_TABLE: Mapping[Phase, tuple[tuple[Collection[str], Refusal], ...]] = {
    Phase.MISSING: (
        (
            {*ACTIONS} - _ASK_NO_INVENTORY - _BEGIN_ONE,
            Refusal("There is no inventory.", "Read the old pool first:\n  cognito-migrate scan"),
        ),
    ),
    Phase.HELD: (
        (
            {*ACTIONS} - _ASK_NO_INVENTORY - _ONLY_READ,
            Refusal("Another command has the inventory.", "Wait for it to end, or stop it, and rerun.", code=6),
        ),
    ),
    Phase.PURGED: (({*ACTIONS} - _KEPT_AFTER_A_PURGE, _PURGED),),
    Phase.FINISHED: ((_MIGRATES | _RESETS | _UNDOS, _FINISHED),),
    Phase.REBUILDING: (
        (
            _NEED_A_SCAN | _RESETS | {"sync"},
            Refusal("What was done is not rebuilt to the end.", "Rebuild it first:\n  cognito-migrate scan --rebuild"),
        ),
    ),
    Phase.UNREAD: (
        (
            _NEED_A_SCAN | _RESETS,
            Refusal("The scan of the old pool is not complete.", "Complete it first:\n  cognito-migrate scan"),
        ),
    ),
    Phase.UNMADE: ((_RESETS | {"recover"}, _NOBODY), ({"cutover"}, _NOBODY._replace(code=3))),
    Phase.KNOWN: (
        (
            {"scan --rebuild"},
            Refusal(
                "The inventory is not lost: it knows what was done.",
                "Scan without --rebuild, or move the file away:\n  cognito-migrate scan",
            ),
        ),
    ),
    Phase.CUT_OVER: (
        (
            _UNDOS,
            Refusal(
                "The new pool is in use since {at} (`cutover`): `undo` would delete up to {users} of its users, with "
                "the passwords and everything else that they have there by now.",
                "The way back brings people who signed up in the new pool to the old one:\n"
                "  cognito-migrate init --reverse\n"
                "If the new pool must be emptied all the same, take the cut-over back first:\n"
                "  cognito-migrate cutover --undo",
            ),
        ),
    ),
    Phase.BEFORE_CUTOVER: (
        (
            {"reset --close-by", "reset --send-codes"},
            Refusal(
                "No cut-over is recorded, and until then old passwords are to be captured: `{action}` would end that.",
                "Record the cut-over when the new pool is in use. `reset` alone lists who waits.\n"
                "  cognito-migrate cutover",
            ),
        ),
        (
            {"init --reverse"},
            Refusal(
                "There is no way back yet: no cut-over is recorded, so nobody knows since when sign-ups of the new "
                "pool are to be brought back.",
                "Record the cut-over when the new pool is in use:\n  cognito-migrate cutover",
            ),
        ),
    ),
    Phase.BEFORE_END: (
        (
            {"finish --purge"},
            Refusal("The migration is not finished.", "Finish it, then purge:\n  cognito-migrate finish"),
        ),
    ),
}

_BEGUN = frozenset({Phase.BEFORE_CUTOVER, Phase.BEFORE_END})
_CUT_OVER = frozenset({Phase.KNOWN, Phase.CUT_OVER, Phase.BEFORE_END})
STATES: Mapping[str, frozenset[Phase]] = {
    "no inventory": frozenset({Phase.MISSING}),
    "another command runs": _BEGUN | {Phase.HELD, Phase.KNOWN},
    "scan cut short": _BEGUN | {Phase.UNREAD, Phase.UNMADE},
    "scanned": _BEGUN | {Phase.UNMADE},
    "planned": _BEGUN | {Phase.UNMADE},
    "partly run": _BEGUN | {Phase.KNOWN},
    "run": _BEGUN | {Phase.KNOWN},
    "undone": _BEGUN | {Phase.UNMADE, Phase.KNOWN},
    "rebuild cut short": _BEGUN | {Phase.REBUILDING, Phase.UNMADE},
    "rebuilt": _BEGUN | {Phase.KNOWN},
    "cut over": _CUT_OVER,
    "reset begun": _CUT_OVER,
    "cut-over taken back": _BEGUN | {Phase.KNOWN},
    "finished": frozenset({Phase.KNOWN, Phase.CUT_OVER, Phase.FINISHED}),
    "reopened": _CUT_OVER,
    "purge cut short": frozenset({Phase.KNOWN, Phase.CUT_OVER, Phase.FINISHED, Phase.PURGED}),
    "purged": frozenset({Phase.KNOWN, Phase.CUT_OVER, Phase.FINISHED, Phase.PURGED}),
}
"""The states that a person would name, and the stages that each is: the columns of the table."""


class OutOfTurnError(SettingsError):
    """The stage of the migration forbids the command. `code` is the exit code, `remedy` what to do instead."""

    unchanged = NOTHING_CHANGED

    def __init__(self, why: str, remedy: str, code: int) -> None:
        super().__init__(f"{why} {NOTHING_CHANGED} {remedy}")
        self.why = why
        self.remedy = remedy
        self.code = code


def refusal(action: str, stages: Collection[Phase]) -> Refusal | None:
    """Return why an action is refused in these stages, None if it is not."""
    for stage in Phase:
        for actions, refused in _TABLE[stage]:
            if stage in stages and action in actions:
                return refused
    return None


def stages_of(inventory: Inventory) -> frozenset[Phase]:
    """Return the stages that an inventory is in."""
    end, has = End.of(inventory), inventory.get_meta
    cut_over = Cutover.of(inventory) is not None
    facts = {
        Phase.PURGED: bool(end.purged),
        Phase.FINISHED: end.at is not None,
        Phase.REBUILDING: has(meta_keys.REBUILDING) is not None,
        Phase.UNREAD: has(meta_keys.SCAN_STARTED) is not None or not has(meta_keys.SCAN),
        Phase.UNMADE: not _made(inventory),
        Phase.KNOWN: bool(inventory.number("SELECT EXISTS (SELECT 1 FROM progress)")),
        Phase.CUT_OVER: cut_over,
        Phase.BEFORE_CUTOVER: not cut_over,
        Phase.BEFORE_END: end.at is None,
    }
    return frozenset(stage for stage, holds in facts.items() if holds)


def refuse(inventory: Inventory, action: str) -> None:
    """Raise OutOfTurnError if the stage of the migration forbids an action."""
    if refused := refusal(action, stages_of(inventory)):
        cutover = Cutover.of(inventory)
        raise _out_of_turn(inventory, action, refused, cutover.at if cutover else 0.0)


def refuse_undo(inventory: Inventory, cut_over: float) -> None:
    """Raise OutOfTurnError for an `undo` after a cut-over that only the ledger knows of; `cut_over` is when."""
    if refused := refusal("undo", {Phase.CUT_OVER}):
        raise _out_of_turn(inventory, "undo", refused, cut_over)


def _out_of_turn(inventory: Inventory, action: str, refused: Refusal, cut_over: float) -> OutOfTurnError:
    at = f"{datetime.fromtimestamp(cut_over, UTC):%Y-%m-%d %H:%M} UTC"
    why = refused.why.format(action=action, at=at, users=_made(inventory))
    return OutOfTurnError(why, refused.remedy, refused.code)


def _made(inventory: Inventory) -> int:
    return inventory.number("SELECT count(*) FROM progress WHERE new_sub IS NOT NULL AND state <> 'gone'")

"""Say what a rebuilding found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from batch.scan.rebuild import Rebuilt

_SHOWN = 20  # lines of any list; --json gives all


def rebuilt_lines(rebuilt: Rebuilt) -> Iterator[str]:
    """Say what was restored, and what nobody knows."""
    yield (
        f"Restored {rebuilt.users} users of the new pool, {rebuilt.unfinished} of them unfinished, and "
        f"{rebuilt.memberships} memberships; {rebuilt.others} others there are not this migration's."
    )
    if rebuilt.with_ledger:
        yield f"{rebuilt.gone} were deleted in the new pool, and stay so."
    else:
        yield (
            "Without a ledger nobody knows whom somebody deleted in the new pool: a run creates them again. "
            "Leave them out in the file of `collisions`."
        )
    if rebuilt.taken_away:
        yield f"{rebuilt.taken_away} memberships that the ledger says were given are missing there, and stay so."
    yield from _missing(rebuilt.missing)
    yield from _listed("These carry the old sub of somebody they are not known to be; look at them:", rebuilt.doubtful)
    yield "Was the new pool in use already? Then say since when, before the next run: cognito-migrate cutover --at TIME"
    left = "groups" if rebuilt.with_ledger else "groups and users"
    yield f"What became of the {left} of the new pool before is not known any more, so undo would leave them."


def _missing(missing: Sequence[tuple[str, str]]) -> Iterator[str]:
    heading = (
        f"{len(missing)} memberships are missing in the new pool, not given yet or taken away since, and are not given "
        "(to give them all, remove the inventory and rebuild with --give-missing):"
    )
    yield from _listed(heading, [f"{name}: {group}" for name, group in missing])


def _listed(heading: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield heading
    yield from (f"  {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"  … and {len(lines) - _SHOWN} more; --json lists all."

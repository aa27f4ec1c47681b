"""What is planned after a change, what is left alone, and what somebody else changes in the new pool."""

from __future__ import annotations

import threading
import time
from io import StringIO

from batch.inventory.baseline import conflicts_since
from batch.inventory.missing import MissingTable
from batch.plan.plan import make_plan
from batch.runtime.progress_bar import ProgressBars
from batch.settings.config import LossSettings
from batch.verify.verify import Verify


def planned(world):
    """The plan, and its reasons for updates."""
    with world.inventory() as inventory:
        summary = make_plan(inventory, world.context, {})
    return summary.actions["update"], dict(summary.reasons.get("update", {}))


def conflicting(world):
    """What was not carried, as (user, what)."""
    with world.inventory() as inventory:
        return [(one["username"], one["what"]) for one in conflicts_since(inventory, ())[0]]


def verified(world):
    """What verify calls a difference, and what it notes."""
    with world.inventory() as inventory:
        make_plan(inventory, world.context, {})
        return compared(world.target, inventory, world.context)


def compared(target, inventory, context):
    """The same of a pool and an inventory."""
    comparing = Verify(
        target,
        inventory,
        context,
        workers=2,
        stop=threading.Event(),
        progress=ProgressBars(quiet=True, out=StringIO()),
        missing=MissingTable(inventory, LossSettings()),
        now=time.time,
    )
    summary = comparing.run(lambda _users, _groups: "group")
    return [(one.username, one.what) for one in summary.differences], [
        (one.username, one.what, one.detail) for one in summary.notes
    ]


def theirs(world, operation, **params):
    """Make a call as somebody else would."""
    return getattr(world.watched.client, operation)(UserPoolId=world.pool_id, **params)


def set_there(world, username, **attributes):
    pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
    theirs(world, "admin_update_user_attributes", Username=username, UserAttributes=pairs)

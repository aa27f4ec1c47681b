"""Users of another provider who come back after the cut-over, and how they sign in."""

from __future__ import annotations

from batch.ledger.persons import PlannedUser, introduce
from batch.plan.user_plan import Context, plan_user
from sandbox.pools import links
from sandbox.sign_in import managed_login
from userpool.pool import UserPool
from userpool.settings import Rules, UserRules

DEFER = Rules(UserRules(external_provider="defer"))
PROVIDER = {
    "ProviderName": "Google",
    "ProviderType": "Google",
    "ProviderDetails": {"client_id": "a", "client_secret": "b", "authorize_scopes": "email"},
    "AttributeMapping": {"email": "email"},
}


def returning(world, subject="Ada-1", *, groups=("admins",), rules=DEFER, enabled=True):
    """Make a profile in the old pool, and publish it; return its old sub."""
    for pool_id in (world.old_id, world.new_id):
        if "Google" not in world.local.world.pool(pool_id).moto.identity_providers:
            world.cognito.create_identity_provider(UserPoolId=pool_id, **PROVIDER)
        for group in groups:
            if group not in world.local.world.pool(pool_id).groups:
                world.cognito.create_group(UserPoolId=pool_id, GroupName=group)
    with world.local.world.lock:
        user = links.make_profile(world.local.world, world.local.world.pool(world.old_id), "Google", subject, {})
    for group in groups:
        world.cognito.admin_add_user_to_group(UserPoolId=world.old_id, Username=user.username, GroupName=group)
    if not enabled:
        world.disable_old(user.username)
    publish(world, user.username, rules)
    return user.sub


def publish(world, username, rules=DEFER, decision=None):
    """Tell the ledger of a user of the old pool, as a run does."""
    source, target = UserPool(world.cognito, world.old_id), UserPool(world.cognito, world.new_id)
    context = Context.of(rules, source.describe(), target.describe())
    user = source.find(username)
    plan = plan_user(user, context, decision)
    groups = frozenset(name for page in source.groups_of(username) for name in page)
    standing = PlannedUser(user, plan.action, plan.reason, plan.username, groups)
    world.ledger.publish([introduce(standing, context, world.new_id)])
    world.warm()


def sign_in(world, subject="Ada-1", **attributes):
    """Sign in to the new pool by Google, as managed login does."""
    with world.local.world.lock:
        return managed_login.sign_in_from(world.local.world, world.app, "Google", subject, attributes)


def profile(world, subject="Ada-1"):
    """The profile in the new pool."""
    return links.profile(world.local.world.pool(world.new_id), "Google", subject)

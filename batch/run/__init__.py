"""Carry the plan out in the new pool, user by user.

In: jobs, which `journal` hands out from the tables `plan`, `changes` and `progress`. Out: users, groups and memberships
in the new pool, and one fact in the inventory for each thing that became true.

How one run goes, in order (`run.py`):

1. Disable users that the old pool disabled since. Nobody may sign in longer than necessary.
2. Make and change groups (`create_groups`).
3. Carry changes over to users that exist (`update_user`).
4. Create the users that are pending (`migrate_user`): intend, claim, create, disable, link, password, second factors,
   memberships.

A step is a generator of facts. The engine lets it go on only after the fact is durable, so a kill at any instruction
loses nothing: the next run goes on after the last fact. The order of the facts is what makes this safe. Think it
through before changing it.

What this stage may not do: decide anything about a user that the plan has not decided, or touch a user that this
migration did not create or match by its marker.

What the design costs: each user waits for the disk at least three times. Workers overlap, so the quotas stay slower
than the disk. A user who fails is recorded and tried again by the next run, so one bad user never stops a run.
"""

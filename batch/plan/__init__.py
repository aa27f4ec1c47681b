"""Decide what becomes of every user, and what is left to do.

In: the scanned pool, the rules of `config.yaml`, people's decisions about collisions, and what was done before.
Out: the tables `plan`, `identifiers` and `changes`, a summary, and a digest that `run --plan DIGEST` can insist on.

How a plan is made, in order:

1. `stale_plans` finds the users whose plan is out of date. All others keep theirs.
2. `cohort` says who is migrated now (`users.only`).
3. `user_plan` decides about one user: create, skip or blocked, with a reason. `naming` finds the user name.
4. `changes` and `three_way` decide about a user that already exists: what changed in the old pool since the baseline,
   and what of it may be written. `after_cutover` replaces these rules once the new pool is the one in use.
5. `plan` looks at the whole pool: two old users that would be one account collide, and both are left out. `collisions`
   lists them.
6. `summary` counts. `jobs` then tells `run` what is left for each user.

What this stage may not do: call AWS. `user_plan`, `naming` and `three_way` are pure functions, so they are tested
without a pool. The rest reads and writes the inventory.

What the design costs: a collision is a property of the whole pool. So the whole pool must be scanned before the first
user can be created, and every user's identifiers are stored.
"""

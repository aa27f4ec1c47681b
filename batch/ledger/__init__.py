"""The batch's side of the ledger, the DynamoDB table that batch and trigger share.

In: the plan, and one user at a time while `run` works. Out: one item for each person, one for each sign-in name.

How a run uses it, in order:

1. `table` connects. `own_ledger` checks that the table is the one that this inventory published to.
2. `lease` takes the RUN lease: one run at a time, whatever machine it is on. `opening` does all of this in one place.
3. `publish` writes every scanned user as a person (`persons` decides how: known, held, deferred, reset). Only then may
   a user be created, because the trigger refuses a person that it does not find.
4. `claims` asks, for each user, what may be done: claim, create, set a password, give memberships. The class
   `Claims` itself answers the same questions for a migration without a ledger.
5. `ledger` has the conditional writes themselves. `count`, `close` and `erasure` serve single commands.

What this stage may not do: call a pool, or decide what becomes of a user. Each write is conditional and safe to repeat.

What the design costs: several writes to DynamoDB for each user, and a run that is refused when the table was lost. It
buys that an old password is never accepted twice, even if two runs and a sign-in meet on one person.
"""

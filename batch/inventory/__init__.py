"""The state of a migration: one SQLite file with the scanned pool, the plan, and what was done. It is the checkpoint.

Read `schema` first: it has every table, what it is for, and which files write it. Then `inventory`, which opens and
locks the file. The other files each read and write one part: `snapshot` the old pool, `baseline` what was written to
each user last, `user_state` and `milestones` the stored words and moments, `runs` the history of commands.

This wing stores facts. It knows no plan, and it does not decide what follows from a fact.
"""

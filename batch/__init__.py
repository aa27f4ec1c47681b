"""The off-hours job: read the old user pool, plan, create every user in the new pool, and compare the two.

Each folder is one wing: a stage of the migration, or what the stages stand on. A wing imports only wings below it.

    cli                                                  commands: options, wiring, words
     │
     ├── check/live     report                           ask Cognito itself · say where a migration stands
     ├── check          verify                           will it work? · is everything as planned?
     ├── scan  run  undo  campaign  cutover  lambda_trigger      the stages
     │
    ledger    pools                                      the ledger in DynamoDB · the two pools, connected
     │
    plan      pacing                                     what becomes of each user · how fast calls may leave
     │
    inventory                                            the state, in one SQLite file
     │
    settings                                             config.yaml
     │
    runtime                                              threads, stops, progress bars, files

`userpool/` lies below all of them. The wings `scan`, `plan`, `run` and `verify` are the main path, in this order. The
main verb of a wing is in the file of the wing's name (`plan/plan.py`). The same file name means the same part in each
wing: `journal.py` hands out work and records facts, `claims.py` asks the ledger, `*_user.py` is the step for one user.
"""

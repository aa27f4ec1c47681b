"""Point-in-time recovery of user pools: what each user was at any time, paused writes, and the five operations.

Read `recoveries` first. `history` keeps what users and groups were, `restore` brings it back, `paused` knows which
calls a recovery refuses. Facts are of botocore 1.44.8's API model; what it leaves open is a switch of `Rules`.
"""

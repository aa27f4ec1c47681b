"""Lambda triggers: which function a pool has for what, how it is asked, and what it may answer.

Read `triggers` first, then `lambdas`, which calls functions, and `answers`, which checks what they return.
"""

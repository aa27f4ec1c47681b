"""The users who never signed in: lists for a mailing, closing their old passwords, codes (`reset`).

Read `campaign` first, then `recipients`, which decides who may be written to and is pure, then `send_code`, the step
that sends one code. `end_capture` tells the ledger that an old password counts no more.

This wing sets no password. It sends a code only after the ledger has closed the person.
"""

"""Will it work? Read the facts, judge them, change nothing.

Read `facts` first, then `reading`, which reads them, then `check`, which asks every judge and puts the worst first.
The judges are pure: `pools`, `sign_in`, `account` and `capture`, and for what differs between the pools and fails
later `threats`, `same_client` and `same_pool`. A new finding goes into one of them. `permissions` is the one place that
says which IAM actions a command needs.
"""

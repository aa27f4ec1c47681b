"""Compare the new pool with the plan, field by field.

Read `verify` first, then `comparison`, which compares one user and is pure. `revoked` keeps what the new pool took away
since the cut-over, and `new_passwords` lists who has, or may have, another password by now.

This wing writes to neither pool.
"""

"""How fast calls may leave, and which calls are tried again.

Read `rate` first: it is pure, and says how a rate falls after a throttle and recovers. `limiter` hands out the slots.
`pacer` joins limiters and retries by quota category: it is the only file that knows tenacity. `call_counts` counts.

The ceiling of a category is its quota times the share that the migration may take. `pools/connect.py` works it out
from `userpool/quotas.py`, from what Cognito tells of the account, and from `rate` in `config.yaml`.

This wing does not know what a call is for.
"""

"""The keys of the table `meta`, and what stands under each.

Use them with the name of this module: `inventory.get_meta(meta_keys.SCAN)`. What was never written is None.
"""

from __future__ import annotations

FINGERPRINT = "fingerprint"
"""What makes the file this migration's: the ids of both pools and the marker. `inventory` writes it once."""

# The scan of the old pool. `snapshot` writes these; an erasure lowers the number of users.
SCAN = "scan"
"""The number of the last scan, which its rows have in their column `scan`, whether or not it is complete."""
SCAN_STARTED = "scan_started"
"""When the scan began that is not complete; 0 if the next scan is to begin anew. None: the last scan is complete."""
SCAN_COMPLETED = "scan_completed"
"""When the last complete scan ended."""
SCAN_USERS = "scan_users"
"""How many users the last complete scan found."""
FACTORS_SCAN = "factors_scan"
"""The number of the last scan that read everybody's second factors. `second_factors` writes it."""
REBUILDING = "rebuilding"
"""The name by which the lost inventory held the lease. It stands here until `scan --rebuild`, which writes it, ends."""

# The plan.
PLANNED = "planned"
"""What the last plan was made of: a digest (`of`) and the number of the scan. `stale_plans` writes it."""
PLAN_SUMMARY = "plan_summary"
"""What the last plan came to, when it was made (`at`), and of which scan. `plan` writes it, an erasure deletes it."""
CAUGHT_UP = "caught_up"
"""Whether a run without a limit ever came to its end. After that, many changes are a surprise. `run` writes it."""

# The ledger. Opening it for a run writes both; `scan --rebuild` restores them.
LEASE_OWNER = "lease_owner"
"""The name by which this inventory holds the lease of the ledger."""
PUBLISHED_TO = "published_to"
"""The identity of the ledger's table that everybody was published to last."""

# The cut-over, the end and erasures.
CUTOVER = "cutover"
"""When the cut-over was, after which scan, and who recorded it. `cutover` writes it."""
SEEN_THERE = "seen_there"
"""When `verify` last saw the whole new pool since the cut-over. `verify` writes it, `cutover` takes it back."""
FINISHED = "finished"
"""When the migration was finished. `finish` writes it."""
PURGED = "purged"
"""How far the deletion of personal data is: None, begun or done. `finish` writes it."""
TO_SCRUB = "to_scrub"
"""Whose rows were deleted while the file may still have them: a sub, or everybody. An erasure writes it."""

# The new pool as it is.
RECOVERIES = "recoveries"
"""The ids of the completed recoveries of each pool that this migration knows of, by `source` and `target`."""
HOLDING_BACK = "holding_back"
"""Who was waiting for a run before a scan after a recovery of the old pool, as long as that is not dealt with."""
LOOKED_THERE = "looked_there"
"""When somebody last looked who of this migration's users is still in the new pool. `missing` writes it."""

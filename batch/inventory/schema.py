"""The tables of the inventory, what each is for, and which files write it. Only `inventory` creates the tables.

`inventory/erasure.py` deletes or clears a person's data in any table, and is named only where nobody else writes.
`scan/rebuild_evidence.py` restores what a lost inventory knew, so it writes tables that are other wings' otherwise.
`tests/batch/inventory/test_schema.py` holds the lines `Written by` against the statements of the code.
"""

TABLES = """
-- Written by: inventory/inventory.py
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The old pool. `scan` is the number of the scan that saw the row last; `groups_read` of the one that read its groups.
-- Written by: inventory/snapshot.py
CREATE TABLE users (
    sub TEXT PRIMARY KEY, username TEXT NOT NULL, status TEXT NOT NULL, enabled INTEGER NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL, attributes TEXT NOT NULL,
    scan INTEGER NOT NULL, groups_read INTEGER NOT NULL DEFAULT 0,
    factors_read INTEGER NOT NULL DEFAULT 0, mfa TEXT
) WITHOUT ROWID;
CREATE INDEX users_by_username ON users (username);
-- Written by: inventory/snapshot.py
CREATE TABLE groups (
    name TEXT PRIMARY KEY, description TEXT, precedence INTEGER, role_arn TEXT,
    scan INTEGER NOT NULL, members_read INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- Written by: inventory/snapshot.py
CREATE TABLE memberships (
    sub TEXT NOT NULL, group_name TEXT NOT NULL, scan INTEGER NOT NULL, PRIMARY KEY (sub, group_name)
) WITHOUT ROWID;

-- What is to become of each user, made from users and rules; username is the name in the target. `digest` is of what
-- the user is to be there; `dropped` and `lacking` name attributes, `links` the identity providers that the user is to
-- be linked to, `factors` second factors to set, `enrol` those that cannot be, NULL for none, of who is to be created.
-- `spared` names what a user keeps in the new pool although changed rules would take it away. `lost` is what a user in
-- the new pool lacks by the plan, as JSON: lists of the loss, what it is of, and why (`plan/losses.py`).
-- Written by: plan/plan.py, plan/stale_plans.py
CREATE TABLE plan (
    sub TEXT PRIMARY KEY, action TEXT NOT NULL, reason TEXT, username TEXT, reset_channel INTEGER NOT NULL,
    digest BLOB, disabled INTEGER, dropped TEXT, lacking TEXT, links TEXT, factors TEXT, enrol TEXT, spared TEXT,
    lost TEXT
) WITHOUT ROWID;
-- Written by: plan/stale_plans.py
CREATE TABLE identifiers (
    identifier TEXT NOT NULL, sub TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (identifier, sub)
) WITHOUT ROWID;

-- What was done in the target; never deleted. state: intended, created, secured, done, refused, gone,
-- undoing, undone. `intended_at` is when the creation was intended, and when it was done once a run has done it.
-- Written by: run/journal.py, undo/journal.py, recovery/journal.py, scan/rebuild_evidence.py
CREATE TABLE progress (
    sub TEXT PRIMARY KEY, state TEXT NOT NULL, intended_at REAL, new_sub TEXT, username TEXT,
    problem_kind TEXT, problem TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX progress_by_new_sub ON progress (new_sub) WHERE new_sub IS NOT NULL;
-- `at` is when a run gave the membership, in Unix seconds, 0 if that is not known.
-- Written by: inventory/baseline.py, recovery/journal.py, scan/rebuild_evidence.py
CREATE TABLE granted (
    sub TEXT NOT NULL, group_name TEXT NOT NULL, at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (sub, group_name)
) WITHOUT ROWID;
-- When a change of a user was carried over last, by the name of what changed (a membership as in `applied.writing`).
-- And when the new pool was seen to have come to a state itself (`own` and a name of `applied.theirs`). A recovery of
-- the new pool to an earlier time has taken both back.
-- Written by: inventory/baseline.py, inventory/carried.py
CREATE TABLE carried (
    sub TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (sub, name)
) WITHOUT ROWID;
-- Whom the ledger knows, as which digest of a person.
-- Written by: ledger/publish.py, scan/rebuild_evidence.py
CREATE TABLE published (sub TEXT PRIMARY KEY, as_of TEXT NOT NULL) WITHOUT ROWID;
-- Written by: run/create_groups.py, undo/journal.py, scan/rebuild_evidence.py
CREATE TABLE target_groups (
    name TEXT PRIMARY KEY, made INTEGER NOT NULL, definition TEXT, old_name TEXT, at INTEGER NOT NULL DEFAULT 0,
    writing TEXT, theirs INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What was written last of each user, which a later scan is compared with, and of each group above (`definition`,
-- by the old group that it stands for: `old_name`, null if not known). `writing` and `theirs` of a group: a definition
-- that a run was about to write, and whether the new pool came to the last one itself.
-- `groups` were wanted then, null if that is not known; `giving` may be given by now. `rules` are the rules of then;
-- `spared` names what only changed rules would have taken away, and what therefore stayed. `writing` are states that a
-- run was about to write, and that may be there by now. `theirs` names states that the new pool came to itself.
-- Written by: inventory/baseline.py
CREATE TABLE applied (
    sub TEXT PRIMARY KEY, attributes TEXT NOT NULL, enabled INTEGER NOT NULL,
    groups TEXT, giving TEXT NOT NULL DEFAULT '[]', links TEXT, factors TEXT, rules INTEGER, spared TEXT,
    writing TEXT, theirs TEXT
) WITHOUT ROWID;
-- The rules of config.yaml that baselines were applied under, each set once (`applied.rules` is its number): so that a
-- changed rule is told from a change of the old pool.
-- Written by: inventory/baseline.py
CREATE TABLE rule_sets (number INTEGER PRIMARY KEY, rules TEXT NOT NULL UNIQUE);
-- Whose changes are to be carried over, made with the plan: how many calls of each kind; `words` name what changes.
-- Written by: plan/changes.py, plan/stale_plans.py, inventory/baseline.py
CREATE TABLE changes (
    sub TEXT PRIMARY KEY, disables INTEGER NOT NULL, enables INTEGER NOT NULL, sets INTEGER NOT NULL,
    deletes INTEGER NOT NULL, joins INTEGER NOT NULL, leaves INTEGER NOT NULL,
    restricted INTEGER NOT NULL, contested INTEGER NOT NULL DEFAULT 0, words TEXT,
    links INTEGER NOT NULL DEFAULT 0, unlinks INTEGER NOT NULL DEFAULT 0, factors INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- Changes that were not carried over; sub is empty for a group's. Those not final are tried again.
-- Written by: inventory/baseline.py
CREATE TABLE conflicts (
    sub TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL, final INTEGER NOT NULL, PRIMARY KEY (sub, name)
) WITHOUT ROWID;

-- Each command that wrote. `ended` is NULL while it runs, or if it was killed; `counts` is JSON, `caller` an ARN.
-- Written by: inventory/runs.py
CREATE TABLE runs (
    id TEXT PRIMARY KEY, command TEXT NOT NULL, started REAL NOT NULL, ended REAL, caller TEXT,
    config_digest TEXT NOT NULL, plan_digest TEXT, counts TEXT, exit_code INTEGER
) WITHOUT ROWID;
-- When the migration last wrote to a user that it gave its password, by Cognito's clock: a later change was another's.
-- Written by: inventory/baseline.py, recovery/journal.py
CREATE TABLE last_write (sub TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
-- Users whom `undo` took back, or is about to; how far they were; whether they had been used. Never deleted once gone.
-- Written by: undo/journal.py
CREATE TABLE undone (
    new_sub TEXT PRIMARY KEY, sub TEXT NOT NULL, username TEXT, was TEXT NOT NULL, used INTEGER NOT NULL,
    revoked TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX undone_by_sub ON undone (sub);

-- Calls to Cognito in the `seconds` from `at` on, by quota category of an account and Region (`owner`), and how many of
-- them were throttled; requests a second that the command was `allowed`, and the whole quota.
-- Written by: pacing/call_counts.py
CREATE TABLE calls (
    at INTEGER NOT NULL, seconds INTEGER NOT NULL, owner TEXT NOT NULL, category TEXT NOT NULL,
    calls INTEGER NOT NULL, throttled INTEGER NOT NULL, allowed REAL NOT NULL, quota REAL NOT NULL,
    PRIMARY KEY (at, owner, category)
) WITHOUT ROWID;
-- Whose plan may be out of date, because something that it was made of was written: noted by the triggers below.
-- Written by: inventory/schema.py, plan/stale_plans.py
CREATE TABLE stale (sub TEXT PRIMARY KEY) WITHOUT ROWID;
-- What users of the old pool can prove themselves by besides a password; without a row, nothing. `second` is JSON of
-- Cognito's names, `read` the number of the scan that asked last, `unread` why Cognito did not tell.
-- Written by: inventory/second_factors.py
CREATE TABLE factors (
    sub TEXT PRIMARY KEY, second TEXT NOT NULL, preferred TEXT, passkey INTEGER NOT NULL, read INTEGER NOT NULL,
    unread TEXT
) WITHOUT ROWID;
-- What the last `verify` since the cut-over saw in the target: what it took away and the old pool did not, `since` when
-- that was seen; when each user was modified last there, and whether it is CONFIRMED.
-- Written by: verify/revoked.py, plan/after_cutover.py
CREATE TABLE revoked (
    sub TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (sub, what, detail)
) WITHOUT ROWID;
-- Written by: verify/revoked.py, plan/after_cutover.py
CREATE TABLE modified_there (
    sub TEXT PRIMARY KEY, at REAL NOT NULL, confirmed INTEGER NOT NULL
) WITHOUT ROWID;
-- Who was left out at the cut-over, by rule, collision or decision, and stays so whatever the old pool changes.
-- Written by: plan/after_cutover.py
CREATE TABLE left_out (sub TEXT PRIMARY KEY) WITHOUT ROWID;
-- Who was in the new pool by this migration and was not there any more when somebody looked, and since when that is
-- known. `stays`: deleted on purpose, as few at a time are, or as somebody has said.
-- Written by: inventory/missing.py, recovery/journal.py, recovery/survey.py
CREATE TABLE missing (sub TEXT PRIMARY KEY, since REAL NOT NULL, stays INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
-- Who asked to be erased, which no scan brings back.
-- Written by: inventory/erasure.py
CREATE TABLE forgotten (sub TEXT PRIMARY KEY) WITHOUT ROWID;
-- Whom `reset` is about: the `day` of one's own mailing; how far a code that Cognito sends is; since when, and by which
-- attribute. state: planned, sending, waiting (let go, and not sent), sent, doubtful, refused. let_go: the time of the
-- try before, which is the ledger's still if the last one ended before the ledger heard of it.
-- Written by: campaign/journal.py
CREATE TABLE campaign (
    sub TEXT PRIMARY KEY, day TEXT, state TEXT NOT NULL, at REAL, channel TEXT, reason TEXT, let_go REAL
) WITHOUT ROWID;
"""


def _noting(name: str, event: str, sub: str, condition: str = "1") -> str:
    """Return a trigger that notes whose plan may be out of date; who has none is planned anyhow."""
    # Not INSERT OR IGNORE: within a trigger, SQLite takes the conflict clause of the statement outside.
    return (
        f"CREATE TRIGGER {name} {event} "  # noqa: S608 -- constants
        f"WHEN ({condition}) AND EXISTS (SELECT 1 FROM plan WHERE sub = {sub}) "
        f"AND NOT EXISTS (SELECT 1 FROM stale WHERE sub = {sub}) BEGIN INSERT INTO stale VALUES ({sub}); END"
    )


def _watched(table: str, columns: str) -> tuple[str, ...]:
    """Return triggers for whatever is written to these columns of a table."""
    old, new = (", ".join(f"{row}.{name}" for name in columns.split(", ")) for row in ("old", "new"))
    return (
        _noting(f"{table}_inserted", f"AFTER INSERT ON {table}", "new.sub"),
        _noting(f"{table}_deleted", f"AFTER DELETE ON {table}", "old.sub"),
        _noting(f"{table}_updated", f"AFTER UPDATE OF {columns} ON {table}", "new.sub", f"({old}) IS NOT ({new})"),
    )


# A scan writes each membership again, so what counts is whether it was there.
_JOINED = "NOT EXISTS (SELECT 1 FROM memberships WHERE sub = new.sub AND group_name = new.group_name)"

TRIGGERS = (
    *_watched("users", "username, status, enabled, created, modified, attributes"),
    *_watched("progress", "state, new_sub, username"),
    *_watched("applied", "attributes, enabled, groups, giving"),
    *_watched("granted", "sub, group_name"),
    *_watched("factors", "second, preferred, passkey, unread"),
    _noting("applied_links_updated", "AFTER UPDATE OF links ON applied", "new.sub", "old.links IS NOT new.links"),
    _noting(
        "applied_factors_updated",
        "AFTER UPDATE OF factors ON applied",
        "new.sub",
        "old.factors IS NOT new.factors",
    ),
    _noting("memberships_inserted", "BEFORE INSERT ON memberships", "new.sub", _JOINED),
    _noting("memberships_deleted", "AFTER DELETE ON memberships", "old.sub"),
)
"""Everything that a plan is made of user by user; `plan/stale_plans.py` knows what it is made of besides."""

"""Take a bulk run back: delete what this migration created and nobody has used since.

Read `undo` first, then `verdict`, which decides about one user and is pure, then `undo_user`, the step that deletes.
`journal` hands out the users and records what became of them. `claims` asks the ledger.

This wing never touches a user that this migration did not create.
"""

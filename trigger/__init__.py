"""The Lambda of the new user pool. It comes with the ledger; nothing here is used by the batch job."""

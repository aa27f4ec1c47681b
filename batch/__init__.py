"""The off-hours job: reads the old user pool, plans, creates everybody in the new one and compares the two."""

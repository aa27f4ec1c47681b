"""`check --live`: questions to Cognito itself, in throw-away pools.

Read `probe` first (one question: what is asked, what is expected, what follows), then the questions in `probes`,
`settings_probes` and `password_probes`. `throw_away_pools` makes the pools and deletes them whatever happens.

Nothing of `check` imports this wing, so a plain `check` can never create a pool.
"""

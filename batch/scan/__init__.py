"""Read the old pool into the inventory, and rebuild an inventory that was lost.

Read `scan` first: users, then groups, then memberships. `shards` lists users in sixteen parts where that is possible.
`read_second_factors` asks for each user's second factors. `rebuild` reads pools and ledger for what was done.

This wing changes neither pool, and it does not decide what becomes of a user.
"""

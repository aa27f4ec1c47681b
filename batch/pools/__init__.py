"""The two pools of one migration, connected and paced.

Read `connect`: it builds clients, quotas and pacers from `config.yaml`. `managed_pool` holds the few calls that change
a pool's own settings.

This wing knows no ledger and no command.
"""

"""What both sides of a migration know of a user pool: its users, names, attributes, groups, calls and quotas."""

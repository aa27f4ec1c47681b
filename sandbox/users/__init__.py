"""Users, and what an administrator or the user does with them: create, list, change, confirm, reset.

Read `directory` first: it finds the users of one pool. Then `users`, and one file for each operation that needs more.
"""

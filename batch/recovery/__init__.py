"""The new pool lost users, or went back to an earlier time: see it, refuse to go on, and bring everybody back.

Read `census` first, which tells who is missing.

This wing deletes nobody, and sets no password: a run does what is left to do for whoever is brought back.
"""

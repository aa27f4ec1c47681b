"""Made-up old pools: invented users, or a real scan with its names replaced.

Read `seed` first, then `people`, which invents the users. `rehearsal` fills a pool from a real scan.
"""

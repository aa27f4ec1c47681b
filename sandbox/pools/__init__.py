"""User pools, and what is set up in them: schemas, app clients, groups, identity providers and links.

Read `pools` first. moto keeps most of it; `sandbox/moto_bridge.py` is the one door to moto.
"""

"""Say where a migration stands: estimate, status, one user, exports, the HTML page.

`estimate` and `outlook` say how long the rest takes and what it costs. `status` counts, `explain` tells everything
about one user and `next_step` what to do about them. `export` has every list, `page` the HTML page.

This wing changes nothing, in either pool or in the inventory.
"""

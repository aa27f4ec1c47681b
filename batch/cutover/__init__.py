"""From the cut-over to the end: what is still in the way, and the way back.

`cutover` says who is left before a cut-over, `finish_checklist` what is in the way of the end, `way_back` how a
migration in the opposite direction is configured. All of it is values and decisions.

The moments themselves are kept in `inventory/milestones.py`. The rules that follow from them are in
`plan/after_cutover.py`.
"""

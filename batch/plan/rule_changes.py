"""Tell what changed rules of config.yaml ask for from what the old pool changed. Values in, values out.

A changed rule may give a user something. It takes nothing away that the new pool has, unless a person says so: that is
`spared`, stays wanted, and is named by the plan. A baseline keeps the rules that it was applied under. What those rules
would want of the old pool as it is now (`then`) tells the two apart: whatever today's rules want otherwise is theirs.
"""

from __future__ import annotations

from dataclasses import replace

from batch.inventory.baseline import Baseline
from batch.plan.three_way import FLAGS, Wanted, factor_names, flag_of, link_name, unlink_name, values
from userpool.factors import Preference


def spare(
    applied: Baseline,
    granted: frozenset[str],
    wanted: Wanted,
    then: Wanted,
    *,
    marker: str | None,
    removals: bool,
) -> Wanted:
    """Return what is wanted, with all that only changed rules would take away. With `removals` nothing is spared.

    `then` is what the rules of the baseline would want. What was spared before stays spared until it is wanted again.
    """
    attributes, given, taken = _attributes(applied, wanted, then, marker)
    known = applied.groups if applied.groups is not None else wanted.groups
    had = (known | granted | applied.giving) - wanted.groups
    groups = {group for group in had if group in then.groups or f"-{group}" in applied.spared}
    lost = applied.links - wanted.links
    links = {link for link in lost if link in then.links or unlink_name(link) in applied.spared}
    factors, off, on = _factors(applied, wanted, then)
    given |= {f"+{group}" for group in wanted.groups - then.groups} | on
    given |= {link_name(link) for link in wanted.links - then.links}
    taken |= {f"-{group}" for group in groups} | {unlink_name(link) for link in links} | off
    if removals:
        return replace(wanted, ruled=frozenset(given | taken))
    return replace(
        wanted,
        attributes=attributes,
        groups=wanted.groups | groups,
        links=wanted.links | links,
        factors=factors,
        spared=tuple(sorted(taken)),
        ruled=frozenset(given),
    )


def _attributes(
    applied: Baseline, wanted: Wanted, then: Wanted, marker: str | None
) -> tuple[dict[str, str], set[str], set[str]]:
    """Return the attributes with the spared ones, and the names of what the rules alone give and take."""
    before, now, by_then = (values(some, marker) for some in (applied.attributes, wanted.attributes, then.attributes))
    attributes, given, taken = dict(wanted.attributes), set[str](), set[str]()
    for name in sorted(before.keys() | now):
        if before.get(name) == now.get(name) or (now.get(name) == by_then.get(name) and name not in applied.spared):
            continue
        if name in FLAGS:
            # A flag goes with its address. Alone it is spared only for the very address that it was given for.
            if before.get(FLAGS[name]) != now.get(FLAGS[name]):
                continue
            if before[name] == "true":
                taken.add(name)
                attributes[name] = "true"
            else:
                given.add(name)
        elif name in before:
            taken.add(name)
            attributes[name] = before[name]
            if flag := flag_of(name):
                attributes[flag] = before[flag]
        else:
            given.add(name)
    return attributes, given, taken


def _factors(applied: Baseline, wanted: Wanted, then: Wanted) -> tuple[Preference | None, set[str], set[str]]:
    """Return the second factors with the spared ones, and those that the rules alone switch off and on."""
    had, now, by_then = (applied.factors, wanted.preference(applied.factors), then.preference(applied.factors))
    off = {name for name in had.on - now.on if name in by_then.on or name in applied.spared}
    on = {name for name in factor_names(by_then, now) if name not in had.on}
    if wanted.factors is None or not off:
        return wanted.factors, off, on
    preferred = had.preferred if had.preferred in off else now.preferred
    return Preference(now.on | off, preferred), off, on

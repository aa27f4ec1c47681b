"""Which groups cross, and under which names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from userpool.errors import SettingsError


@dataclass(frozen=True, slots=True)
class GroupRules:
    """How groups are read in the old pool, and which are dropped, renamed or created in the new one."""

    read: Literal["auto", "group", "user"] = "auto"
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    create: bool = True


def made_for_providers(pool_id: str, providers: Iterable[str]) -> frozenset[str]:
    """Return the names of the groups that Cognito makes itself in a pool with these identity providers.

    At a provider's first sign-in it puts the profile into the group `<pool id>_<provider>` (seen on AWS, and in no
    document).
    """
    return frozenset(f"{pool_id}_{provider}" for provider in providers)


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The names of the old pool's groups in the new one: by the rules, and by which ones Cognito made for a provider.

    The latter are known by the pool's id and its providers (`made_for_providers`). A group that a person made may look
    the same, with another pool's id in its name: it crosses, and so does one whose provider is no longer there.
    """

    rules: GroupRules
    of_providers: frozenset[str] = frozenset()

    def target_name(self, name: str) -> str | None:
        """Return the group's name in the new pool, or None if it does not cross.

        One that Cognito made for a provider crosses only if it is renamed: the new pool makes its own.
        """
        if name in self.rules.drop or (name in self.of_providers and name not in self.rules.rename):
            return None
        return self.rules.rename.get(name, name)

    def why_left_behind(self, name: str) -> str:
        """Return the reason why a group does not cross."""
        return "groups.drop" if name in self.rules.drop else "made for an identity provider"

    def target_names(self, names: Iterable[str]) -> frozenset[str]:
        """Return the names in the new pool of those groups that cross."""
        return frozenset(new for name in names if (new := self.target_name(name)) is not None)

    def refuse_merging(self, names: Iterable[str]) -> None:
        """Raise SettingsError if two old groups would become one: their members would gain each other's rights."""
        owner: dict[str, str] = {}
        for name in sorted(names):
            new = self.target_name(name)
            if new is not None and owner.setdefault(new, name) != name:
                raise SettingsError(
                    f"groups.rename makes one group, {new}, out of {owner[new]} and {name}, and so gives their "
                    "members each other's rights: rename one of them to something else, or drop it."
                )

"""The shares of the traffic that a challenger gets on its way, by its policy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ml_modeling.specification import Rollout
from monitoring.control import ModelRef, Policy, Traffic


@dataclass(frozen=True)
class Plan:
    """``shares`` are per cent of the entities, one after another; after the last one the challenger is promoted."""

    policy: Policy
    shares: tuple[int, ...]

    def first(self, champion: ModelRef | None, challenger: ModelRef) -> Traffic:
        """The traffic that a rollout begins with."""
        return Traffic(self.policy, champion, challenger, self.shares[0])

    def after(self, traffic: Traffic) -> Traffic | None:
        """The next larger share; None when the next thing is the promotion.

        It goes by the share alone: a plan that was changed on the way is followed from where the traffic is.
        """
        larger = [share for share in self.shares if share > traffic.share]
        return replace(traffic, share=larger[0]) if larger else None


def plan_of(rollout: Rollout, policy: Policy) -> Plan:
    """The way of a challenger under ``policy``.

    A share of 0 is that of a challenger that answers nobody: it waits for an approval, or shadows.
    """
    shares: Mapping[Policy, tuple[int, ...]] = {
        Policy.DIRECT: (0,),
        Policy.MANUAL: (0,),
        Policy.SHADOW: (0,),
        Policy.CANARY: rollout.steps,
        Policy.AB: (rollout.split,),
        Policy.BLUE_GREEN: (100,),
    }
    return Plan(policy, shares[policy])

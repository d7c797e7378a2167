"""Which nodes could take a job if they were at their best, and whether those are set aside. Pure functions."""

from __future__ import annotations

from typing import Final

import msgspec

from webfront.fleet.states import SET_ASIDE, NodeState
from webfront.scheduling.constraints import Candidate, Demand, could_ever_take
from webfront.scheduling.explanation import Facts

_TOLD: Final = 3
"""How many nodes that are set aside a sentence tells of."""


def could_be_taken(facts: Facts) -> bool:
    """Whether there is a node that could take the job were it there and idle."""
    idle = [_at_best(one, facts.demand) for one in facts.views.values()]
    return any(could_ever_take(facts.demand, one) for one in idle)


def _at_best(view: Candidate, demand: Demand) -> Candidate:
    """The node active; where it has not told its figures yet, they are what the job asks for."""
    view = msgspec.structs.replace(view, state=NodeState.ACTIVE, aside=False)
    if view.score is not None:
        return view
    arch = view.arch or next(iter(demand.arch), "")
    return msgspec.structs.replace(view, memory_gb=demand.memory_mb / 1000, arch=arch)


def all_set_aside(facts: Facts) -> bool:
    """Every node that could ever take it, and is there, is set aside."""
    there = [one for one in facts.views.values() if one.aside or one.state is NodeState.ACTIVE]
    fitting = [one for one in there if could_ever_take(facts.demand, _at_best(one, facts.demand))]
    return bool(fitting) and all(one.aside for one in fitting)


def aside_words(facts: Facts) -> str:
    """What those that are set aside say of it."""
    reasons = [(name, facts.nodes[name].state_reason) for name, one in facts.views.items() if one.aside]
    said = [f"{name} ({reason.removeprefix(SET_ASIDE).lstrip(': ')})" for name, reason in reasons]
    more = f"; {len(said) - _TOLD} more" if len(said) > _TOLD else ""
    return f"Every node that could take it is set aside: {'; '.join(said[:_TOLD])}{more}."

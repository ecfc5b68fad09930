"""The frontier: what to visit, what was visited, when next. See ``harvest.frontier.queue``."""

from harvest.frontier.queue import Frontier
from harvest.frontier.records import (
    Added,
    Backoff,
    Claim,
    Due,
    FrontierProtocol,
    FrontierStats,
    HostState,
    LastVisit,
    State,
    Trouble,
    Visited,
    Wanted,
)

__all__ = [
    "Added",
    "Backoff",
    "Claim",
    "Due",
    "Frontier",
    "FrontierProtocol",
    "FrontierStats",
    "HostState",
    "LastVisit",
    "State",
    "Trouble",
    "Visited",
    "Wanted",
]

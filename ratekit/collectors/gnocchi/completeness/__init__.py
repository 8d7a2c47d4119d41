"""Whether all usage was collected: archive policies, retention, backlog, exclusions."""

"""The load generator: plan, work, measure, and tell what was seen."""

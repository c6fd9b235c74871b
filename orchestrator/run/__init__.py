"""Many steps at once, with retries, in the order of the plan."""

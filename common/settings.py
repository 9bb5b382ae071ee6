"""All configuration, read from the environment once, at start-up."""

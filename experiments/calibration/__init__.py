"""A twin after the traffic has changed."""

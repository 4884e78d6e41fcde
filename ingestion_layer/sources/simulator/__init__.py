"""A seeded shop: the same seed gives the same customers, orders and clicks, and what is true of them is known."""

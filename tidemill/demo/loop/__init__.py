"""``tidemill demo-loop``: behaviour changes, and a model is found wanting and replaced, without a hand on it."""

"""``tidemill demo``: the whole loop on the local stack, step by step."""

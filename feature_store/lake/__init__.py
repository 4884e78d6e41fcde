"""A group's events, read from silver: for training, for the stream's states, and for those made anew."""

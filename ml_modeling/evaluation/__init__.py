"""How good a model is, how sure that is, and why it answers as it does."""

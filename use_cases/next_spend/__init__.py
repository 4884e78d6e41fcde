"""How much a customer will spend in the 60 days that follow."""

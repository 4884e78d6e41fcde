"""What competes: the kinds of model, a use case's own estimators, their parameters and preprocessing."""

"""What was served, and what came true: outcomes joined to logged predictions, and how good the models were."""

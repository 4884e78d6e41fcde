"""What is learnt from: the labelled rows with their features, their split in time, and checks that none knows more."""

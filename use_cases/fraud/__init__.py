"""Which card payments are fraud, said while they are made."""

"""Which customers will stop buying: no purchase in the 90 days that follow."""

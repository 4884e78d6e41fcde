"""What talks to a system: the platform environment, a Delta table, the record of handled commits."""

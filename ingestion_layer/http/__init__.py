"""Events over HTTP: CloudEvents in their three modes, and batches of lines, each judged before it is taken."""

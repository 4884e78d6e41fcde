"""How a model treats groups of people: figures by group, how far they lie apart, and bringing them closer."""

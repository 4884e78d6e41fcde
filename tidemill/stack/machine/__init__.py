"""What services find on this machine: Java, free ports, and each other's addresses."""

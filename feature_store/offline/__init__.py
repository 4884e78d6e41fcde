"""Features for training: many entities at many times, each as of its moment, by Spark with the kernel."""

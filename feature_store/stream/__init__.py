"""The states of a group, kept what the lake is: by the stream application, batch after batch of silver's commits."""

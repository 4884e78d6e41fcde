"""Who starts, watches and ends the processes of services: supervisord, or one command in the foreground."""

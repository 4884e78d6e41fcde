"""How a time is written on a command line: a day, or a second or microsecond of it, in UTC."""

TIMES = ("%Y-%m-%d", *(f"%Y-%m-%dT%H:%M:%S{end}" for end in ("", "Z", ".%f", ".%fZ")))

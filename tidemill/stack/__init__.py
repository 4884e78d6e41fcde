"""The local stack: the real servers, supervised, on 127.0.0.1, with all state under one home folder."""

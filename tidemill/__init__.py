"""What a person types: the ``tidemill`` command, ``doctor`` and the local stack; settings and contracts."""

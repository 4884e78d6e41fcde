"""Whether a project's definitions can serve: all that is wrong with them at once, without a server or a JVM."""

from tidemill.projects.checking.check import check
from tidemill.projects.checking.problems import Problem

__all__ = ["Problem", "check"]

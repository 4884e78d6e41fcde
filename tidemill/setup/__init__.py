"""What the platform needs beside its Python packages, made once for all projects: jars and Airflow's environment."""

from tidemill.setup.parts import set_up

__all__ = ["set_up"]

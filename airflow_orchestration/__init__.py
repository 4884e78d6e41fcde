"""What is batch, driven by Airflow: DAGs and the plugins they use."""

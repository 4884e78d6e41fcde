"""Card payments with known fraud, simulated as Le Borgne et al. describe it.

Source: Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection -
Practical Handbook" (2022), chapter 3, "Transaction data simulator". Every parameter is the handbook's.
"""

"""Replay of UCI Online Retail (Chen, 2015, doi:10.24432/C5BW33): the orders of a British gift shop, 2010 to 2011."""

"""What tools/reproduce_coarse_fine.py is made of."""

"""What `python -m tfface.evaluate` does: systems, test sets, their errors, and reports."""

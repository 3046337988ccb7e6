"""Analysis by synthesis: what a face lacks is fitted to the picture."""

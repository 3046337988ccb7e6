"""The papers' loss terms: pure functions on tensors, one term a function."""

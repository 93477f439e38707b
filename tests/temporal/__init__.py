"""Steady pictures: in whole jobs, over a program's own frames, and by tensors."""

"""Properties of the real program, over generated films and configurations."""

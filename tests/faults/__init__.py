"""Fault injection: the program is killed, its disk fails, its power is cut, its input breaks."""

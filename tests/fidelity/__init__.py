"""What must survive the way through the program, held against outsiders."""

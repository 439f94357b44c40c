"""How many runs a record, a race or a change of speed will take, and what they cost."""

"""`longlink doctor`: what is amiss on this machine, and what to do about it."""

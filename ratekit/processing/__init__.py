"""The cycle: what is due is collected, priced and stored; tasks are carried out."""

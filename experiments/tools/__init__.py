"""What developers of the project run by hand: `ship` and `interruption`, commands each."""

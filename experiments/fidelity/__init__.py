"""How far a twin can be trusted."""

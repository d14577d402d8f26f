"""The paper's figures from what runs left behind."""

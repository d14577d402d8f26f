"""Networks that predict: transitions, performance, mixtures."""

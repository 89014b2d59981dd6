"""PC side of onemo: simulated module, virtual board, deployment, bench."""

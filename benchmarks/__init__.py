"""What oauthdeploy costs, measured against the least that reaches the same end: `python -m benchmarks`."""

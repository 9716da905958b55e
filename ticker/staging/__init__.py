"""What is laid over the walk: scenarios as they are played, scripted events, halts."""

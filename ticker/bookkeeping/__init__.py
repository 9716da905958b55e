"""What was handed out: bars, the day's statistics, sequences, snapshots."""

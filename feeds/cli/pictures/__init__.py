"""Pictures of what the market makes: a day, a crash, the verdicts. Need matplotlib."""

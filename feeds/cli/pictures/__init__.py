"""Pictures of what the market makes: a day, a crash, the verdicts. They need matplotlib."""

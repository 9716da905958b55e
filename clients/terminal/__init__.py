"""What the terminal programs are made of: how they run, the table of prices, order books, recordings in Parquet."""

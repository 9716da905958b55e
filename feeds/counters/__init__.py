"""Plain numbers where things happen: counters, histograms, how long turns take and how late the loop is."""

"""What ``load`` is made of: connections, processes, counting, reports."""

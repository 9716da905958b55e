"""What tests see of clients: who came, what each sent and got, and who closed it and why."""

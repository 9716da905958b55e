"""Plain HTTP beside the stream: who is answered, JSON, health, metrics, errors."""

"""Others' servers, each written as its own documentation recommends for a broadcast."""

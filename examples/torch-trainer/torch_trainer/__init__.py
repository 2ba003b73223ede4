"""PyTorch modules as a trainer of lamsearch."""

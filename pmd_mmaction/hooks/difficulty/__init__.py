"""The difficulty table during training."""

"""What every channel must do alike, shown by one suite over all of them."""

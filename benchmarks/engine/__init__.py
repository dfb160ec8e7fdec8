"""What the speed of the engines is measured on and with."""

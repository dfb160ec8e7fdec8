"""The networks that kgenn is measured on, and the scripts that train them."""

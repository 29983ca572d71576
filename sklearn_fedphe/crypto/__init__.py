"""From an array to a vector under encryption and back; knows nothing of regression."""

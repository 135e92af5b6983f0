"""From stored images to readings: a leased queue, the reading process, pooling to the study."""

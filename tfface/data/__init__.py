"""Photos and videos in: detection, landmarks, crops, records."""

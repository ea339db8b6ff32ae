"""What a trained generator does on recordings that nobody learnt from, and how good that is."""

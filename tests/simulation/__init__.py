"""The simulator: shipped sync code and shipped stores behind fake time, fake links and fake luck."""

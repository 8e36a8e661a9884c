"""What an attacker sends: path tricks and generated bad input, through the gateway's socket."""

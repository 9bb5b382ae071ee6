"""What the clock asks for. A new schedule is a module here and a route in ``app``."""

"""How fast a run is: passes per second, use of the device, hours to go."""

"""The words of the house as frozen types, ports and errors. Needs numpy and the standard library only."""

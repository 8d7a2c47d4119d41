"""The hashmap's arithmetic held to CloudKitty's own class."""
